# An image of a release: what scripts/release left in dist/ and nothing else. docs/operations.md says how to run it.
#   scripts/release && docker build -t boardwire .

FROM busybox:1 AS release
# As docker names the kind of machine that the image is for.
ARG TARGETARCH=amd64
WORKDIR /release
COPY dist/boardwire-*-linux.tar.gz ./
RUN case $TARGETARCH in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; esac && \
    tar -xzf boardwire-*-$machine-linux.tar.gz && mv boardwire-*-linux boardwire && mkdir data

# Authorities for TLS, and neither C library nor shell: the binary is static. The user `nonroot` is 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=release /release/boardwire/bin/boardwire /usr/local/bin/boardwire
COPY --from=release /release/boardwire/share/doc/boardwire/ /usr/share/doc/boardwire/
# A new volume takes over the owner of what it is mounted on.
COPY --from=release --chown=65532:65532 /release/data /data
USER 65532:65532
ENV BOARDWIRE_LISTEN=0.0.0.0:8080
# The data file is made here. BOARDWIRE_DATA would say so too, and that there is no other --store.
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --start-interval=2s CMD ["/usr/local/bin/boardwire", "health"]
ENTRYPOINT ["/usr/local/bin/boardwire"]
CMD ["serve"]
