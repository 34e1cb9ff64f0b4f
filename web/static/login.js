// Takes the login out of the address, so that it stays in no history, and brings
// it to the daemon.
'use strict';
const login = location.hash.slice(1);
history.replaceState(null, '', location.pathname);
const form = document.getElementById('login');
form.elements.login.value = login;
form.submit();
