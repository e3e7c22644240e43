// Charts: data in a JSON script beside each place, one loader for all. Tooltips are drawn on the canvas, not in HTML,
// so that the page needs no inline style.
(() => {
  "use strict";
  let loading = null;
  const load = () => (loading ||= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector('meta[name="houfu-echarts"]').content;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  }));
  const probe = document.createElement("span");
  const colour = (name) => { // what light-dark() comes to now
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const money = (value) => Number(value).toLocaleString("en", { maximumFractionDigits: 2 });
  const compact = (value) => (document.documentElement.lang !== "en" && Math.abs(value) >= 10000 ? `${value / 10000}万`
    : Number(value).toLocaleString("en", { notation: "compact" }));

  const draw = (place) => {
    const option = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const [ink, line, panel, raised] = ["ink-2", "line", "panel", "raised"].map(colour);
    const axis = { axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: ink }, splitLine: { lineStyle: { color: line } } };
    const value = { ...axis, axisLine: { show: false }, axisLabel: { color: ink, formatter: compact } };
    const dressed = (given) => Array.isArray(given) ? given.map(dressed)
      : given && { ...(given.type === "category" ? axis : value), ...given };
    const chart = echarts.getInstanceByDom(place) || echarts.init(place);
    chart.setOption({
      animation: false,
      color: [colour("brand"), colour("good"), colour("warn"), colour("bad"), colour("ink-3")],
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      grid: { left: 8, right: 12, top: option.legend ? 34 : 14, bottom: 4, containLabel: true },
      ...option,
      legend: option.legend && { top: 0, textStyle: { color: ink }, itemHeight: 8, ...option.legend },
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, valueFormatter: money, backgroundColor: raised, borderColor: line, textStyle: { color: colour("ink"), fontSize: 12 }, ...option.tooltip },
      xAxis: dressed(option.xAxis), yAxis: dressed(option.yAxis), backgroundColor: panel,
    }, true);
    place.dataset.drawn = "yes";
  };
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => window.echarts?.getInstanceByDom(target)?.resize()));
  const all = async () => {
    const places = [...document.querySelectorAll("[data-chart]")];
    if (!places.length) return;
    await load();
    places.forEach((place) => { draw(place); resized.observe(place); });
  };
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:after:swap", all);
  document.addEventListener("houfu:theme", all);
})();
