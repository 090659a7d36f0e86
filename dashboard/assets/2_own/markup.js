// The browser half of dashboard/components/markup.py: puts a view that the server wrote into the page.
// The markup comes from our own code, which escapes every text.
window.naerblik = window.naerblik || {};
window.naerblik.Markup = function Markup(props) {
  return React.createElement("div", { dangerouslySetInnerHTML: { __html: props.markup } });
};
