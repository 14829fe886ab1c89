package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// requestFault says why no transport could send req, or nil. net/http reports these faults as bare texts;
// looking at the request itself, and only once something failed, tells them from a failure of the network.
// The texts name the fault and not the value, which may be a secret.
func requestFault(req *http.Request) error {
	switch {
	case req.URL == nil:
		return errors.New("request has no URL")
	case req.Header == nil:
		return errors.New("request has no Header map")
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return errors.New("request's URL is neither http nor https")
	case req.URL.Host == "":
		return errors.New("request's URL has no host")
	case !isFieldValue(req.URL.RequestURI()):
		return errors.New("request's URL has a control character")
	case req.Method != "" && !isToken(req.Method):
		return errors.New("request's method is not a token")
	case req.ContentLength > 0 && req.Body == nil:
		return errors.New("request has a ContentLength and no Body")
	}
	for name := range req.Trailer {
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length", "Trailer", "Transfer-Encoding": // RFC 9110, section 6.5.1
			return fmt.Errorf("request's trailer cannot have %s", name)
		}
	}
	for _, header := range [...]http.Header{req.Header, req.Trailer} {
		for name, values := range header {
			if !isToken(name) {
				return errors.New("request has a header field whose name is not a token")
			}
			for _, value := range values {
				if !isFieldValue(value) {
					return fmt.Errorf("request's header field %s has a control character", name)
				}
			}
		}
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s can stand in a header field: no control characters but the tab.
func isFieldValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
