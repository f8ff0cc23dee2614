// What the scripts say, in German.
"use strict";
window.words = {
  "Error": "Fehler",
  "Warning": "Warnung",
  "Note": "Hinweis",
  "Line %s": "Zeile %s",
  "1 error": "1 Fehler",
  "%s errors": "%s Fehler",
  "1 warning": "1 Warnung",
  "%s warnings": "%s Warnungen",
  "1 note": "1 Hinweis",
  "%s notes": "%s Hinweise",
  "It can't be built as it is.": "So lässt sich das nicht bauen.",
  "It can be built.": "Das lässt sich bauen.",
  "It can be built, in one step.": "Das lässt sich bauen, in einem Schritt.",
  "It can be built, in %s steps.": "Das lässt sich bauen, in %s Schritten.",
  "You are logged out. What you wrote is kept: log in when you send it.": "Du bist abgemeldet. Was du geschrieben hast, bleibt erhalten: Melde dich an, wenn du es abschickst.",
  "The server can't be reached. What you wrote is still here.": "Der Server ist nicht erreichbar. Was du geschrieben hast, steht noch hier.",
  "%s is larger than a Dockerfile may be.": "%s ist größer, als ein Dockerfile sein darf.",
  "You are logged out.": "Du bist abgemeldet.",
  "Log in again": "Wieder anmelden",
  "The server can't be reached; trying again in %s seconds.": "Der Server ist nicht erreichbar; nächster Versuch in %s Sekunden.",
};
