package stripe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Server answers as the API does: POST /v1/customers and GET /v1/customers/{id}. It carries out a POST once for each
// Idempotency-Key, and answers the next ones as the first. The zero value is ready to be used.
type Server struct {
	mu    sync.Mutex
	byKey map[string]string
	made  int
}

// Made returns how many customers were made.
func (s *Server) Made() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_1")
	id, found := strings.CutPrefix(r.URL.Path, "/v1/customers/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/customers":
		key := r.Header.Get("Idempotency-Key")
		id, repeated := s.customer(key)
		w.Header().Set("Idempotency-Key", key)
		if repeated {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		writeCustomer(w, id)
	case r.Method == http.MethodGet && found:
		writeCustomer(w, id)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such resource."}}`)
	}
}

func writeCustomer(w http.ResponseWriter, id string) {
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "object": "customer", "name": "Ada"})
}

// customer returns the customer that a key stands for, and whether there was one.
func (s *Server) customer(key string) (id string, repeated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.byKey[key]; ok && key != "" {
		return id, true
	}
	if s.byKey == nil {
		s.byKey = make(map[string]string)
	}
	s.made++
	id = fmt.Sprintf("cus_%d", s.made)
	s.byKey[key] = id
	return id, false
}

// Error bodies as the API documents them.
const (
	unavailable = `{"error":{"type":"api_error","message":"Something went wrong on Stripe's end."}}`
	limited     = `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Request rate limit exceeded."}}`
	locked      = `{"error":{"type":"invalid_request_error","code":"lock_timeout","message":"This object cannot be accessed right now."}}`
	inUse       = `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use","message":"There is another request with this key."}}`
)
