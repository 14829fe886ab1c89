package anthropic

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// answer is what the model says, in pieces.
var answer = []string{"Yes, ", "I am."}

// Handler answers as the API does: POST /v1/messages, at once or as a stream, and GET /v1/models/{model}.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Stream bool `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"type":"error","error":{"type":"invalid_request_error","message":"The body is no JSON."}}`)
			return
		}
		if body.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			startStream(w)
			for _, piece := range answer {
				writePiece(w, piece)
			}
			endStream(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-example","stop_reason":"end_turn",`+
			`"content":[{"type":"text","text":%q}],"usage":{"input_tokens":4,"output_tokens":4}}`, answer[0]+answer[1])
	})
	mux.HandleFunc("GET /v1/models/{model}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": r.PathValue("model"), "type": "model", "display_name": "Example", "created_at": "2026-01-01T00:00:00Z",
		})
	})
	return mux
}

func startStream(w http.ResponseWriter) {
	writeEvent(w, "message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",`+
		`"model":"claude-example","content":[],"usage":{"input_tokens":4,"output_tokens":1}}}`)
	writeEvent(w, "content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
}

func writePiece(w http.ResponseWriter, piece string) {
	writeEvent(w, "content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, piece))
}

func endStream(w http.ResponseWriter) {
	writeEvent(w, "content_block_stop", `{"type":"content_block_stop","index":0}`)
	writeEvent(w, "message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}`)
	writeEvent(w, "message_stop", `{"type":"message_stop"}`)
}

// writeEvent sends one event of a stream, at once.
func writeEvent(w http.ResponseWriter, name, data string) {
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data)
	_ = http.NewResponseController(w).Flush() // a client that has gone is noticed elsewhere
}

// Error bodies as the API documents them.
const (
	unavailable = `{"type":"error","error":{"type":"api_error","message":"Service unavailable."},"request_id":"req_1"}`
	overloaded  = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded."},"request_id":"req_1"}`
	limited     = `{"type":"error","error":{"type":"rate_limit_error","message":"Too many requests."},"request_id":"req_1"}`
	spent       = `{"type":"error","error":{"type":"rate_limit_error","message":"Spend limit reached.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_1"}`
)
