// SPDX-License-Identifier: BSD-2-Clause
// Comfort only: without it every result is still there.
(function () {
	"use strict";
	const all = (selector) => Array.from(document.querySelectorAll(selector));
	const form = document.getElementById("filter");

	function chosen(name) {
		return new Set(all(`#filter input[name="${name}"]:checked`).map((box) => box.value));
	}

	function filter() {
		const names = [...new Set(all("#filter input").map((box) => box.name))];
		const wanted = new Map(names.map((name) => [name, chosen(name)]));
		let shown = 0, total = 0;
		for (const row of all("main [data-level]")) {
			row.hidden = names.some((name) => !wanted.get(name).has(row.dataset[name]));
			// A line that only leads to its requirement above counts for it.
			if (row.classList.contains("above"))
				continue;
			total++;
			shown += row.hidden ? 0 : 1;
		}
		// A group of which nothing was run has no rows: it goes as soon as something is left out.
		const filtered = all("#filter input").some((box) => !box.checked);
		for (const group of all(".group, tbody.rows")) {
			const rows = Array.from(group.querySelectorAll("[data-level]"));
			group.hidden = filtered && rows.every((row) => row.hidden);
		}
		document.getElementById("shown").textContent = `${shown} of ${total} shown`;
	}

	if (form) {
		form.hidden = false;
		form.reset();
		form.addEventListener("submit", (event) => event.preventDefault());
		form.addEventListener("change", filter);
		filter();
	}
	for (const [id, open] of [["open-all", true], ["close-all", false]]) {
		const button = document.getElementById(id);
		if (button)
			button.addEventListener("click", () =>
				all("details.requirement").forEach((entry) => { entry.open = open; }));
	}

	// A link to a requirement unfolds it.
	function unfold() {
		const target = location.hash && document.getElementById(location.hash.slice(1));
		if (!target)
			return;
		for (let node = target; node; node = node.parentElement)
			if (node.tagName === "DETAILS")
				node.open = true;
		target.scrollIntoView();
	}
	window.addEventListener("hashchange", unfold);
	unfold();

	function copied(button, block) {
		const done = () => {
			button.textContent = "Copied";
			setTimeout(() => { button.textContent = "Copy"; }, 1500);
		};
		const select = () => {
			getSelection().selectAllChildren(block);
			if (document.execCommand("copy"))
				done();
		};
		if (navigator.clipboard)
			navigator.clipboard.writeText(block.textContent).then(done, select);
		else
			select();
	}
	for (const block of all(".command")) {
		const button = document.createElement("button");
		button.type = "button";
		button.textContent = "Copy";
		button.addEventListener("click", () => copied(button, block.querySelector("code")));
		block.append(button);
	}
})();
