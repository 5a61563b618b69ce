# m26 as a container: `m26 run` as an unprivileged user, its home in the volume /data.
# The Python of both stages is the one that requirements/*.txt were resolved for.

FROM rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0 AS rust

FROM python:3.11.14-trixie@sha256:bf2d36b8fb1b4a0b590b36736cdd8a6b5175b411bf135c42694ecd68ab8fed02 AS build
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src

COPY requirements/ requirements/
# Of the development tools only maturin is needed: its entry, with its hashes, is cut out.
RUN python3 -m venv /opt/build && \
    sed -n '/^maturin==/,/[^\\]$/p' requirements/dev.txt > maturin.txt && \
    /opt/build/bin/pip install --no-cache-dir --require-hashes -r maturin.txt
RUN python3 -m venv /opt/m26 && \
    /opt/m26/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt

COPY Cargo.toml Cargo.lock pyproject.toml README.md LICENSE ./
COPY rust/ rust/
COPY python/ python/
RUN /opt/build/bin/maturin build --release --locked --out dist && \
    /opt/m26/bin/pip install --no-cache-dir --no-index --no-deps dist/*.whl

FROM python:3.11.14-slim-trixie@sha256:193fdd0bbcb3d2ae612bd6cc3548d2f7c78d65b549fcaa8af75624c47474444d
RUN groupadd --gid 10001 m26 && \
    useradd --uid 10001 --gid m26 --no-log-init --create-home --home-dir /data m26
COPY --from=build /opt/m26 /opt/m26
ENV PATH=/opt/m26/bin:$PATH M26_HOME=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8026
# Unhealthy means: it does not collect, or it does with a reason. `m26 status` says which.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["m26", "status"]
ENTRYPOINT ["m26"]
CMD ["run"]
