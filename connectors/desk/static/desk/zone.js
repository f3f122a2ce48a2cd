// Tells the server the reader's time zone, in which it shows all times.
(function () {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  const cookie = "timezone=" + encodeURIComponent(zone);
  if (document.cookie.split("; ").includes(cookie)) return;
  document.cookie = cookie + "; path=/admin/; max-age=31536000; SameSite=Lax" + (location.protocol === "https:" ? "; Secure" : "");
})();
