// The table of table.js is all that this page needs; on a phone the first column stays while the others scroll.
document.querySelectorAll(".board").forEach((board) => board.closest(".scroll").classList.add("pinned"));
