/// u, four numbers that `winograd` wants to know about the filter g.
template <class T>
void transform_filter(const T (&g)[3], T (&u)[4]) {
  u[0] = g[0], u[1] = g[1], u[2] = g[2], u[3] = T(0);  // yours
}

/// The two outputs of the filter over d.
template <class T>
void winograd(const T (&d)[4], const T (&u)[4], T (&y)[2]) {
  y[0] = d[0] * u[0] + d[1] * u[1] + d[2] * u[2];  // yours: four multiplications
  y[1] = d[1] * u[0] + d[2] * u[1] + d[3] * u[2];
}
