package transport

import (
	"net/http"
	"strings"
)

// key names what is shared between calls. A struct, so that the usual key, a host, costs no allocation.
type key struct {
	scheme string // empty for a key of the user's own
	name   string
}

func (k key) String() string {
	if k.scheme == "" {
		return k.name
	}
	return k.scheme + "://" + k.name
}

// keyFor is the key of a request: what the user's keyOf says, or by default what usual says.
func keyFor(req *http.Request, keyOf func(*http.Request) string, usual func(*http.Request) key) key {
	switch {
	case req.URL == nil: // no transport sends such a request
		return key{}
	case keyOf != nil:
		return key{name: keyOf(req)}
	}
	return usual(req)
}

// exactHostKey is the server that a request goes to, as its URL spells it.
func exactHostKey(req *http.Request) key {
	return key{req.URL.Scheme, req.URL.Host}
}

// hostKey is the server that a request goes to: scheme, lower-case host and port, the scheme's own port left out.
// It looks at the URL, not at the Host header.
func hostKey(req *http.Request) key {
	scheme, host := strings.ToLower(req.URL.Scheme), strings.ToLower(req.URL.Host)
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i:]
	}
	if scheme == "http" && port == ":80" || scheme == "https" && port == ":443" {
		port = ""
	}
	return key{scheme, strings.TrimSuffix(host, ".") + port}
}
