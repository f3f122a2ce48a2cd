// Fills in what the extension put behind "#" of the address, and mails or copies it. Nothing is sent to the server.
"use strict";

const box = document.getElementById("feedback");
const given = new URLSearchParams(location.hash.slice(1));
const labels = { score: "Score", crm: "CRM", version: "Version", user: "Name", email: "E-mail" };
const facts = Object.entries(labels)
  .filter(([key]) => given.get(key))
  .map(([key, label]) => `${label}: ${given.get(key)}`);
box.value = [given.get("feedback") || "", facts.join("\n")].filter(Boolean).join("\n\n");

const send = document.getElementById("send");
send?.addEventListener("click", () => {
  const subject = `Feedback${given.get("crm") ? ` on ${given.get("crm")}` : ""}`;
  send.href = `mailto:${box.dataset.mail}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(box.value)}`;
});

document.getElementById("copy").addEventListener("click", async () => {
  box.select();
  const done = await navigator.clipboard?.writeText(box.value).then(() => true, () => false);
  document.getElementById("copied").textContent = done ? "Copied." : "Press Ctrl+C to copy.";
});
