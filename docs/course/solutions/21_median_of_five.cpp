/// Puts the median of five values into x[2]. exchange(a, b) puts the smaller of a and b into a.
template <class T, class Exchange>
void median_of_5(T (&x)[5], const Exchange& exchange) {
  exchange(x[0], x[1]);
  exchange(x[3], x[4]);
  exchange(x[0], x[3]);  // x[0]: three are above it
  exchange(x[1], x[4]);  // x[4]: three are below it
  exchange(x[1], x[2]);  // the median of the three that are left
  exchange(x[2], x[3]);
  exchange(x[1], x[2]);
}
