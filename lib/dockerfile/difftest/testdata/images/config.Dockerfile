# An image with all that a configuration can have.
FROM debian:bookworm
LABEL a=base b=base
EXPOSE 80/tcp 53/udp
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --retries=2 CMD true
ENV ONE=1 TWO="a b"
RUN mkdir -p /data/sub && echo first >/data/f && chown 33:33 /data
VOLUME /data
WORKDIR /home/app
SHELL ["/bin/sh", "-ec"]
USER app
ENTRYPOINT ["/bin/entry"]
CMD ["default", "args"]
