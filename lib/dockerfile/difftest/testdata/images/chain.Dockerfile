# Triggers that the next image has, and none after that.
FROM debian:bookworm
ENV WHO=chain
WORKDIR /src
ONBUILD ARG EXTRA=none
ONBUILD RUN echo "$WHO $EXTRA" >trigger
ONBUILD COPY . all/
ONBUILD USER app
ONBUILD ENV MADE=by-trigger
