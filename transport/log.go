package transport

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// LogHooks returns hooks that write to logger: a refusal, a change of a breaker's state, and a call that ended in failure
// after retries as Warn; other failed calls as Info; each attempt that is followed by another, and each wait for another call or
// for a breaker, as Debug.
// Calls that succeed at once are not mentioned. A record has method, host, status, kind, action, reason, attempts
// and durations. It never has a path, a query, a header, a body, a code that a server made up, a message or a user's key.
func LogHooks(logger *slog.Logger) Hooks {
	return Hooks{
		Attempt: func(ctx context.Context, i AttemptInfo) {
			if !i.Decision.Retry() || !logger.Enabled(ctx, slog.LevelDebug) {
				return
			}
			logger.LogAttrs(ctx, slog.LevelDebug, "attempt failed, trying again", append(requestAttrs(i.Request),
				slog.Int("attempt", i.Attempt), slog.Int("status", i.Status), slog.String("kind", i.Verdict.Kind.String()),
				slog.Duration("duration", i.Duration), slog.Duration("pause", i.Decision.Pause))...)
		},
		Call: func(ctx context.Context, i CallInfo) {
			level, text := slog.LevelInfo, "call failed"
			switch {
			case !i.Verdict.Kind.Failure() && i.Attempts == 1:
				return
			case !i.Verdict.Kind.Failure():
				text = "call succeeded after retries"
			case i.Attempts > 1:
				level, text = slog.LevelWarn, "call failed after retries"
			}
			if !logger.Enabled(ctx, level) {
				return
			}
			logger.LogAttrs(ctx, level, text, append(requestAttrs(i.Request),
				slog.Int("attempts", i.Attempts), slog.Int("status", i.Status), slog.String("kind", i.Verdict.Kind.String()),
				slog.String("action", i.Verdict.Action().String()), slog.String("reason", i.Reason.String()),
				slog.Duration("duration", i.Duration), slog.Duration("waited", i.Waited))...)
		},
		Refuse: func(ctx context.Context, i RefuseInfo) {
			logger.LogAttrs(ctx, slog.LevelWarn, "breaker refused an attempt", append(requestAttrs(i.Request),
				slog.String("kind", i.Verdict.Kind.String()), slog.Duration("retry_after", i.RetryAfter))...)
		},
		Wait: func(ctx context.Context, i WaitInfo) {
			if !logger.Enabled(ctx, slog.LevelDebug) {
				return
			}
			logger.LogAttrs(ctx, slog.LevelDebug, "attempt waited", append(requestAttrs(i.Request),
				slog.String("kind", i.Verdict.Kind.String()), slog.Duration("duration", i.Duration), slog.Bool("sent", i.Sent))...)
		},
		Breaker: func(ctx context.Context, i BreakerInfo) {
			logger.LogAttrs(ctx, slog.LevelWarn, "breaker changed its state",
				slog.String("breaker", i.Name), slog.String("from", i.From.String()), slog.String("to", i.To.String()),
				slog.String("kind", i.Verdict.Kind.String()), slog.Duration("hold", i.Hold.Round(time.Millisecond)))
		},
	}
}

// requestAttrs names a request by its method and host.
func requestAttrs(req *http.Request) []slog.Attr {
	method, host := req.Method, ""
	if method == "" {
		method = http.MethodGet
	}
	if req.URL != nil {
		host = req.URL.Host
	}
	return []slog.Attr{slog.String("method", method), slog.String("host", host)}
}
