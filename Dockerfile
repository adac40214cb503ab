# The page, the server with the page in it, and an image that holds nothing else. docs/operations.md says how to run it.
#   docker build -t boardwire .

FROM node:20-bookworm-slim AS page
WORKDIR /build/web
# Packages first: they change less often than sources, and then this layer is kept.
COPY web/package.json web/package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY web/ ./
RUN npm run build

# As `rust-version` in Cargo.toml; the same Debian as below, for its C library.
FROM rust:1.95-bookworm AS server
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY src/ src/
COPY docs/openapi.yaml docs/
COPY benches/ benches/
COPY --from=page /build/web/dist/ web/dist/
RUN cargo build --locked --release --features page && mkdir /data

# A C library and no shell. The user `nonroot` is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=server /build/target/release/boardwire /usr/local/bin/boardwire
COPY LICENSE-APACHE LICENSE-MIT NOTICE /usr/share/doc/boardwire/
# A new volume takes over the owner of what it is mounted on.
COPY --from=server --chown=65532:65532 /data /data
USER 65532:65532
ENV BOARDWIRE_LISTEN=0.0.0.0:8080
# The data file is made here. BOARDWIRE_DATA would say so too, and that there is no other --store.
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --start-interval=2s CMD ["/usr/local/bin/boardwire", "health"]
ENTRYPOINT ["/usr/local/bin/boardwire"]
CMD ["serve"]
