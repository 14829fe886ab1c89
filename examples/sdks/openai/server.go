package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// answer is what the model says, in pieces.
var answer = []string{"Yes, ", "I am."}

// Handler answers as the API does: POST /chat/completions, at once or as a stream, and GET /models/{model}.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Stream bool `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"The body is no JSON.","type":"invalid_request_error","param":null,"code":null}}`)
			return
		}
		if body.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, piece := range answer {
				writeChunk(w, piece)
			}
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-example","choices":[`+
			`{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":%q}}]}`, answer[0]+answer[1])
	})
	mux.HandleFunc("GET /models/{model}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": r.PathValue("model"), "object": "model", "created": 1, "owned_by": "openai"})
	})
	return mux
}

// writeChunk sends one event of a stream, at once.
func writeChunk(w http.ResponseWriter, piece string) {
	fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-example\","+
		"\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", piece)
	_ = http.NewResponseController(w).Flush() // a client that has gone is noticed elsewhere
}

// Error bodies as the API documents them.
const (
	unavailable = `{"error":{"message":"The server is overloaded or not ready yet.","type":"server_error","param":null,"code":null}}`
	limited     = `{"error":{"message":"Rate limit reached for gpt-example.","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
	noQuota     = `{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`
)
