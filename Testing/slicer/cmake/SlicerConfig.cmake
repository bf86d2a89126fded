# A stand-in for the build system of 3D Slicer, which takes hours to build: it puts an extension's files where Slicer's
# own macros put them, and fails where they fail (an unknown argument, a listed file that is not there). What it cannot
# tell is whether Slicer itself runs them.

set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
