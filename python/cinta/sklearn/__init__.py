"""Networks as scikit-learn estimators: for pipelines, grid searches and cross-validation."""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError("[sklearn] scikit-learn >= 1.6 is not installed: pip install cinta[sklearn]") from error

from cinta.sklearn.classifier import NetClassifier
from cinta.sklearn.regressor import NetRegressor

__all__ = ["NetClassifier", "NetRegressor"]
