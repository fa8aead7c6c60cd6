"""``python -m cinta``: what is installed and what it runs on."""

import cinta as ct


def main() -> None:
    config = ct.config()
    print(f"cinta {ct.__version__}")
    print(f"  ISA      {config['isa']} ({config['isa_reason']})")
    print(f"  threads  {ct.get_num_threads()}")
    print(f"  CUDA     {'yes' if config.get('cuda') else 'no'}")


if __name__ == "__main__":
    main()
