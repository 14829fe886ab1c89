package elastic

import (
	"fmt"
	"net/http"
)

// Handler answers as a node does: POST /docs/_search and POST /_bulk.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /docs/_search", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, found)
	})
	mux.HandleFunc("POST /_bulk", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"took":1,"errors":false,"items":[]}`)
	})
	return mux
}

// Bodies as the API documents them.
const (
	found       = `{"took":1,"timed_out":false,"hits":{"total":{"value":1,"relation":"eq"},"hits":[{"_index":"docs","_id":"1"}]}}`
	unavailable = `{"error":{"root_cause":[],"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/1/state not recovered]"},"status":503}`
	limited     = `{"error":{"root_cause":[],"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}`
)
