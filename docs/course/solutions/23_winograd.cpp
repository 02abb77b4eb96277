/// u, four numbers that `winograd` wants to know about the filter g.
template <class T>
void transform_filter(const T (&g)[3], T (&u)[4]) {
  u[0] = g[0];
  u[1] = (g[0] + g[1] + g[2]) * T(0.5);
  u[2] = (g[0] - g[1] + g[2]) * T(0.5);
  u[3] = g[2];
}

/// The two outputs of the filter over d.
template <class T>
void winograd(const T (&d)[4], const T (&u)[4], T (&y)[2]) {
  const T m0 = (d[0] - d[2]) * u[0];
  const T m1 = (d[1] + d[2]) * u[1];
  const T m2 = (d[2] - d[1]) * u[2];
  const T m3 = (d[1] - d[3]) * u[3];
  y[0] = m0 + m1 + m2;
  y[1] = m1 - m2 - m3;
}
