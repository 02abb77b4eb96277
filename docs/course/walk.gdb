# Stops at the stations of walk.md, in the order in which one training step comes by them:
#   gdb -x docs/course/walk.gdb build/debug/bin/example_train_m3
set pagination off
set confirm off
set print frame-arguments none
set environment COGRAD_REFERENCE ON
tbreak main
run

echo \n== forward: an op of the first layer records itself\n
tbreak cograd::linear
continue
backtrace 4
echo \n== forward: its result, by the reference backend\n
tbreak cograd::ReferenceBackend::linear
continue
backtrace 3
echo \n== the loss of each group\n
tbreak cograd::cross_entropy
continue
backtrace 2

echo \n== backward: the last layer's parameters get three gradients\n
tbreak cograd::Backward::parameter_gradients
continue
backtrace 4
echo \n== backward: one product of matrices for each group\n
tbreak cograd::ReferenceBackend::linear_weight_gradient
continue
backtrace 3
echo \n== aggregation: the median of three\n
tbreak cograd::ReferenceBackend::reduce
continue
backtrace 6

echo \n== update\n
tbreak cograd::ReferenceBackend::sgd_update
continue
backtrace 4
