# Like distroless: files without a shell.
FROM debian:bookworm AS files
RUN mkdir -p /out/etc /out/app /out/tmp && chmod 1777 /out/tmp && echo 'nonroot:x:65532:65532::/home/nonroot:/none' >/out/etc/passwd && \
	cp /bin/busybox /out/app/true
FROM scratch
COPY --from=files /out /
USER 65532
ENTRYPOINT ["/app/true"]
