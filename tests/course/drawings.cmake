# The drawings of the course, which the engine makes: the committed files have to be what it does now.
if(NOT COGRAD_BUILD_EXPERIMENTS)
  return()
endif()
file(GLOB drawings CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/course/drawings/*.cpp)
add_executable(course_drawings ${drawings})
target_link_libraries(course_drawings PRIVATE cograd::experiments)
add_test(NAME course_drawings COMMAND course_drawings --check ${PROJECT_SOURCE_DIR}/docs/course/drawings)
add_test(NAME draw_graph COMMAND sh -c "'$<TARGET_FILE:draw_graph>' --model resnet18_cifar --image-shape 3,32,32 --width 8 \
  '${CMAKE_CURRENT_BINARY_DIR}/tape.svg' && grep -q 'layer4.1.conv2.weight .64, 64, 3, 3.' '${CMAKE_CURRENT_BINARY_DIR}/tape.svg'")
set_tests_properties(course_drawings draw_graph PROPERTIES LABELS course ENVIRONMENT OMP_WAIT_POLICY=passive)
add_dependencies(course_programs course_drawings draw_graph)
