// The browser half of dashboard/components/svg.py: shows a drawing made on the server as inline SVG,
// so that it follows the theme, prints, and scales. The markup comes from our own code, never from a user.
window.naerblik = window.naerblik || {};
window.naerblik.Svg = function Svg(props) {
  return React.createElement("span", {
    className: props.className,
    dangerouslySetInnerHTML: { __html: props.markup },
  });
};
