var problem = document.getElementById("problem");
problem.hidden = false;
problem.textContent = "This browser is too old for the page: it needs JavaScript modules and WebAssembly.";
