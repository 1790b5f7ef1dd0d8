// Says that the last try failed; the form itself works without a script.
document.getElementById("failed").hidden = !new URLSearchParams(location.search).has("failed");
