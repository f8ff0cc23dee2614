# Like Alpine: a small system with a shell, that is no Debian.
FROM debian:bookworm
RUN rm -rf /var/lib/dpkg && echo 3.20.0 >/etc/alpine-release && echo 'NAME="Alpine Linux"' >/etc/os-release
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/sh"]
