#include "cograd/experiments/report/page/drawing.h"

#include <fmt/format.h>

#include "cograd/experiments/report/page/html.h"

namespace cograd {
namespace {

// The colours of groups are Okabe and Ito's, which colour-blind readers can distinguish.
constexpr std::string_view kStyle = R"(
  svg { --page: #fff; --ink: #222; --faint: #777; --fill: #f2f4f7; --weight: #fff3d6;
    --g0: #0072b2; --g1: #d55e00; --g2: #009e73; --g3: #a8508a; --g4: #8a6d00; background: var(--page) }
  @media (prefers-color-scheme: dark) {
    svg { --page: #16181d; --ink: #e6e6e6; --faint: #9a9a9a; --fill: #262a33; --weight: #3d341d;
      --g0: #64b8ec; --g1: #ff9a54; --g2: #3fcf9f; --g3: #e294c4; --g4: #e0bf3f } }
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink) }
  rect { fill: var(--fill); stroke: var(--faint) }
  rect.weight { fill: var(--weight) }
  path, line, polyline { stroke: var(--faint); stroke-width: 1.5; fill: none }
  marker path { fill: var(--faint); stroke: none }
  polyline { stroke-width: 2 }
  line.grid { stroke-width: 0.5 }
  .dashed { stroke-dasharray: 5 4 }
  text.middle { text-anchor: middle }
  text.end { text-anchor: end }
  text.op { font-weight: 600 }
  text.title { font-size: 15px; font-weight: 600 }
  text.small { font-size: 11.5px }
  text.quiet { fill: var(--faint) }
  text.number { font-variant-numeric: tabular-nums }
)";

std::string group_styles() {
  std::string style;
  for (int g = 0; g < 5; ++g) {
    style += fmt::format(
        "  text.g{0} {{ fill: var(--g{0}) }} rect.g{0}, polyline.g{0}, path.g{0}, line.g{0} "
        "{{ stroke: var(--g{0}) }}\n",
        g);
  }
  return style;
}

}  // namespace

void Drawing::box(Point at, double width, double height, std::string_view style) {
  elements_ += fmt::format(
      R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="4"/>)"
      "\n",
      style, at.x, at.y, width, height);
}

void Drawing::line(Point from, Point to, std::string_view style) {
  elements_ += fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)"
                           "\n",
                           style, from.x, from.y, to.x, to.y);
}

void Drawing::arrow(Point from, Point to, std::string_view style) {
  arrow(fmt::format("M {:.1f} {:.1f} L {:.1f} {:.1f}", from.x, from.y, to.x, to.y), style);
}

void Drawing::arrow(std::string_view path, std::string_view style) {
  elements_ +=
      fmt::format("<path class=\"{}\" d=\"{}\" marker-end=\"url(#head)\"/>\n", style, path);
}

void Drawing::curve(std::string_view points, std::string_view style) {
  elements_ += fmt::format(R"(<polyline class="{}" points="{}"/>)"
                           "\n",
                           style, points);
}

void Drawing::text(Point at, const std::string& text, std::string_view style) {
  elements_ += fmt::format(R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>)"
                           "\n",
                           style, at.x, at.y, escaped(text));
}

std::string Drawing::svg(const std::string& title, const std::string& description) const {
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}">
<title>{2}</title>
<desc>{3}</desc>
<style>{4}{5}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M 0 0 L 8 4 L 0 8 z"/></marker></defs>
{6}</svg>
)",
      width_, height_, escaped(title), escaped(description), kStyle, group_styles(), elements_);
}

}  // namespace cograd
