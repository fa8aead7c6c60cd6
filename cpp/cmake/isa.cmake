# Instruction sets: the only place with -mavx2, -mavx512*. A kernel family is written once (kernels/cpu/<family>.inl) and
# compiled here once per ISA level, each time behind that level's vector type (kernels/cpu/<isa>/vec.h).

set(CINTA_FAMILIES elementwise tiles copy reduce gemm softmax norm recurrent ctc optim random conv winograd im2col
                   pool warp statistics locally_connected resample)
set(CINTA_ISAS scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND CINTA_ISAS avx2 avx512)
  set(CINTA_LEVELS ${CINTA_ISAS} amx) # whose tile unit has no vector type: its sources are its own
endif()

# Under the sanitizers -O3 takes minutes per file.
set(CINTA_OPTIMIZE -O3)
if(CINTA_SANITIZE)
  set(CINTA_OPTIMIZE -O1)
endif()
set(CINTA_FLAGS_scalar ${CINTA_OPTIMIZE})
set(CINTA_FLAGS_avx2 ${CINTA_OPTIMIZE} -mavx2 -mfma -mf16c)
set(CINTA_FLAGS_avx512 ${CINTA_OPTIMIZE} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c)
set(CINTA_FLAGS_amx ${CINTA_FLAGS_avx512} -mamx-tile -mamx-bf16)

# GCC would carry broadcast operands across iterations of the micro-kernels and spill accumulators for it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(CINTA_FLAGS_gemm -fno-predictive-commoning -fno-tree-pre)
  set(CINTA_FLAGS_conv ${CINTA_FLAGS_gemm})
  set(CINTA_FLAGS_locally_connected ${CINTA_FLAGS_gemm})
  set(CINTA_FLAGS_recurrent ${CINTA_FLAGS_gemm})
  set(CINTA_FLAGS_winograd ${CINTA_FLAGS_gemm})
  # Its intrinsics hand undefined vectors on, and it warns of them itself.
  list(APPEND CINTA_FLAGS_amx -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

# Adds every (isa, family) to `target`, and gives the sources inside kernels/cpu/<isa>/ that level's flags.
function(cinta_add_kernels target)
  set(kernels ${CMAKE_CURRENT_SOURCE_DIR}/cpp/cinta/kernels/cpu)
  foreach(isa IN LISTS CINTA_ISAS)
    foreach(family IN LISTS CINTA_FAMILIES)
      set(source ${CMAKE_CURRENT_BINARY_DIR}/kernels/${isa}/${family}.cpp)
      configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cpp/cmake/kernel.cpp.in ${source} @ONLY)
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${CINTA_FLAGS_${isa}};${CINTA_FLAGS_${family}}")
      target_sources(${target} PRIVATE ${source})
    endforeach()
  endforeach()
  foreach(isa avx2 avx512 amx)
    if(isa IN_LIST CINTA_LEVELS)
      file(GLOB own CONFIGURE_DEPENDS ${kernels}/${isa}/*.cpp)
      set_source_files_properties(${own} PROPERTIES COMPILE_OPTIONS "${CINTA_FLAGS_${isa}}")
      string(TOUPPER ${isa} level)
      target_compile_definitions(${target} PRIVATE CINTA_WITH_${level})
    else()
      get_target_property(sources ${target} SOURCES)
      list(FILTER sources EXCLUDE REGEX "/kernels/cpu/${isa}/")
      set_target_properties(${target} PROPERTIES SOURCES "${sources}")
    endif()
  endforeach()
endfunction()
