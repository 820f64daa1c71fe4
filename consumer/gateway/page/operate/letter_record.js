/** What a dead letter holds: the reason, the record as the request that it is, its headers, and how large it is. */

import {el} from "../dom.js";
import {failureWords} from "../shell/problem_words.js";
import {address, bytes, moment, plain} from "./words.js";

/** Its elements. letter: what `GET /v1/operator/dead-letters/{place}` tells; links: what `.../links` does. */
export function recordOf(letter, {text, links}) {
  const isKnown = text.has(`code.${letter.code}`);
  const words = isKnown ? failureWords(letter.code, text) : null;
  return [
    words && el("p", {}, el("strong", {}, words.happened)),
    el("p", {class: "op-said"}, el("bdi", {}, plain(letter.message))),
    el("dl", {class: "op-fields"}, fieldsOf(letter, text).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    traceOf(letter, {text, links}),
    el("h3", {}, text("operate.request")),
    letter.request === null ? el("p", {class: "problem"}, text("operate.noRequest"), " ", el("bdi", {}, plain(letter.request_error)))
      : el("pre", {class: "op-json", tabindex: "0", role: "region", "aria-label": text("operate.request")}, plain(JSON.stringify(letter.request, null, 2))),
    el("h3", {}, text("operate.headers")),
    headersOf(letter, text),
  ];
}

function fieldsOf(letter, text) {
  const size = letter.value_bytes === null ? text("operate.noValue") : bytes(letter.value_bytes, text);
  return [
    [text("operate.field.place"), el("code", {}, letter.place)],
    [text("operate.field.record"), el("code", {}, `${plain(letter.topic)} ${letter.partition}:${letter.offset}`)],
    [text("operate.field.written"), letter.timestamp ? moment(letter.timestamp, text) : text("operate.none")],
    [text("operate.field.stage"), plain(letter.stage) || text("operate.none")],
    [text("operate.field.attempts"), String(letter.attempts)],
    [text("operate.field.key"), el("code", {}, bytesOf(letter.key, text))],
    [text("operate.field.value"), size],
    [text("operate.field.version"), plain(letter.consumer_version) || text("operate.none")],
  ];
}

function bytesOf(told, text) {
  if (told === null) return text("operate.none");
  return told.text === null ? text("operate.noText", {size: bytes(told.size_bytes, text)}) : plain(told.text);
}

function headersOf(letter, text) {
  if (!letter.headers.length) return el("p", {class: "meta"}, text("operate.noHeaders"));
  return el("div", {class: "op-scroll", tabindex: "0", role: "region", "aria-label": text("operate.headers")},
    el("table", {class: "op-headers"},
      el("thead", {}, el("tr", {}, [text("operate.header.name"), text("operate.header.value"), text("operate.header.size")].map((each) => el("th", {scope: "col"}, each)))),
      el("tbody", {}, letter.headers.map((each) => el("tr", {},
        el("td", {}, el("code", {}, plain(each.name))),
        el("td", {}, el("bdi", {}, bytesOf(each.value, text))),
        el("td", {}, bytes(each.value?.size_bytes ?? 0, text)))))),
    letter.headers_left_out > 0 && el("p", {class: "meta"}, text("operate.headersLeftOut", {count: letter.headers_left_out})));
}

function traceOf(letter, {text, links}) {
  if (!letter.trace_id || !links?.traces?.includes("{trace_id}")) return null;
  const href = address(links.traces.replaceAll("{trace_id}", letter.trace_id));
  return href && el("p", {}, el("a", {href, rel: "noreferrer", target: "_blank"}, text("operate.trace")));
}
