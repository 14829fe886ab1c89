package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	interval = time.Second     // between two rounds of stories
	goodbye  = 3 * time.Second // for scrapes under way when the program ends
)

// serve serves metrics and plays the stories over and over, until ctx ends or the time is over.
func serve(ctx context.Context, o options, th *theatre, metrics http.Handler, show func(*report), to Console) (code int, err error) {
	if o.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.lasts)
		defer cancel()
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", o.prometheus)
	if err != nil {
		return 0, fmt.Errorf("cannot serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(o.remarks(to), "Serving http://%s/metrics. Interrupt to end.\n", listener.Addr())

	code = th.rounds(ctx, o, show, to)

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // somebody reads too slowly
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return 1, fmt.Errorf("metrics were not served any more: %w", err)
	}
	return code, nil
}

// rounds plays the stories over and over, until ctx ends. It returns 1 if any of them did not end as told.
func (th *theatre) rounds(ctx context.Context, o options, show func(*report), to Console) (code int) {
	pause := time.NewTicker(interval)
	defer pause.Stop()
	for n := 1; ; n++ {
		begin := time.Now()
		failed := th.round(ctx, o.stories, show, to.Err)
		if len(failed) > 0 {
			code = 1
		}
		if ctx.Err() != nil {
			return code
		}
		fmt.Fprintf(o.remarks(to), "Round %d: %d of %d stories ended as told, in %s.\n",
			n, len(o.stories)-len(failed), len(o.stories), short(time.Since(begin)))
		pause.Reset(interval)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return code
		}
	}
}
