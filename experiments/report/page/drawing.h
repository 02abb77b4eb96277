// Drawings: boxes, arrows and texts as SVG, readable on light and on dark pages.
#pragma once

#include <string>
#include <string_view>

namespace cograd {

/// A place in a drawing, in pixels from its left upper corner.
struct Point {
  double x = 0.0, y = 0.0;
};

/// Collects the elements of an SVG file that stands alone. Colours come from its style sheet, which
/// knows both schemes, so elements name a class and no colour: "g0" to "g4" are groups, "op",
/// "weight" and "quiet" what they say. A class of several words combines them.
class Drawing {
 public:
  Drawing(double width, double height) : width_(width), height_(height) {}

  void box(Point at, double width, double height, std::string_view style);
  void line(Point from, Point to, std::string_view style = "");
  void arrow(Point from, Point to, std::string_view style = "");
  /// An arrow along an SVG path, such as "M 0 0 V 10".
  void arrow(std::string_view path, std::string_view style = "");
  /// A line through points, "x,y x,y ...".
  void curve(std::string_view points, std::string_view style);
  /// `at` is the left end of the base line, or its middle or right end with "middle" or "end".
  /// Texts of any bytes.
  void text(Point at, const std::string& text, std::string_view style = "");

  /// The whole file. `title` and `description` are for those who cannot see it.
  std::string svg(const std::string& title, const std::string& description) const;

 private:
  double width_, height_;
  std::string elements_;
};

}  // namespace cograd
