// Sends the form that goes on with long work; without scripts its button does.
"use strict";
document.querySelector("form[data-go-on]").requestSubmit();
