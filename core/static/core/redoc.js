const place = document.getElementById("document");
Redoc.init(place.dataset.url, {}, place);
