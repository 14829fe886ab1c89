package statuspage

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/steadytrip/steadytrip/transport"
)

// Options say how a status page is made. The zero value is good.
type Options struct {
	// ShowKeys shows grants and keys of the user's own as they are, rather than as fingerprints.
	ShowKeys bool

	// Title tells this page from others; empty for "steadytrip". JSON has none.
	Title string
}

// Handler returns a handler that shows what s knows at the moment of the request. It is safe for concurrent use;
// s must not be nil.
//
// The request's Accept says whether it is told in HTML or in JSON, and ?format=html or ?format=json says so more loudly.
// JSON goes to whoever does not prefer HTML, and has all rows; a table of the page has 500 at most, those in most trouble.
// ?refresh=5 has a browser load the page anew every 5 seconds; 1 to 3600 are allowed.
//
// It answers GET and HEAD, at whatever path it is mounted. The page has no scripts and loads nothing.
func Handler(s *transport.Shared, o Options) http.Handler {
	if s == nil {
		panic("statuspage: Handler without a transport.Shared")
	}
	return &handler{s.Snapshot, o}
}

type handler struct {
	snapshot func() transport.Snapshot
	options  Options
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("Vary", "Accept")

	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page can only be read: want GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	query := r.URL.Query()
	var html bool
	switch query.Get("format") {
	case "":
		html = prefersHTML(r.Header.Values("Accept"))
	case "html":
		html = true
	case "json":
	default:
		http.Error(w, "the format is not known: want ?format=html or ?format=json", http.StatusBadRequest)
		return
	}
	refresh := 0
	if query.Has("refresh") {
		var err error
		if refresh, err = strconv.Atoi(query.Get("refresh")); err != nil || refresh < 1 || refresh > 3600 {
			http.Error(w, "refresh is not a number of seconds that is allowed: want ?refresh=1 to ?refresh=3600", http.StatusBadRequest)
			return
		}
	}

	if html {
		header.Set("Content-Type", "text/html; charset=utf-8")
		if refresh > 0 {
			header.Set("Refresh", strconv.Itoa(refresh))
		}
	} else {
		header.Set("Content-Type", "application/json")
	}
	if r.Method == http.MethodHead {
		return
	}
	// The status is out by the time that writing fails, and it fails because the client has gone: nobody is left to tell.
	if html {
		_ = h.writeHTML(w, refresh)
	} else {
		_ = h.writeJSON(w)
	}
}

// prefersHTML reports whether an Accept header asks for HTML rather than JSON: by a greater weight, or by the more precise name
// of two that weigh the same. Who asks for neither gets JSON.
func prefersHTML(accept []string) bool {
	list := strings.Join(accept, ",")
	html, byHTML := weigh(list, "text", "html")
	json, byJSON := weigh(list, "application", "json")
	return html > json || html == json && html > 0 && byHTML > byJSON
}

// weigh returns the weight that an Accept header (RFC 9110, section 12.5.1) gives to a media type, and how precisely it names
// the type: from 0, not at all, to 3. What is not well-formed is passed over.
func weigh(accept, kind, subtype string) (q float64, precision int) {
	for entry := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		found := 0
		switch media {
		case kind + "/" + subtype:
			found = 3
		case kind + "/*":
			found = 2
		case "*/*":
			found = 1
		}
		weight := 1.0
		if text, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(text, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		if found > precision {
			q, precision = weight, found
		}
	}
	return q, precision
}
