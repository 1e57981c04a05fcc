# The commands of the README. `make run` and `make test` set up what they need in .venv.
PYTHON ?= python3
TORCH ?= $(shell cat requirements-torch.lock)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := .venv/bin

.PHONY: run test test-system clients test-training wheel lock lock-check pin-image system system-packages training-fonts check audit format locale bench chaos chaos-mutants hostile soak attacks cost schemas demo-eval clean

run: .venv/run.stamp
	$(BIN)/python -m bots run $(ARGS)

test: .venv/dev.stamp system
	$(BIN)/python -m pytest -n 2 --dist loadfile -rs $(ARGS)

# What needs more of the machine than Python packages: emulators, wrong clocks, full disks, empty environments.
test-system: .venv/dev.stamp .venv/build.stamp system-packages clients
	$(BIN)/python -m pytest -m system -rs tests/system $(ARGS)

SYSTEM_PACKAGES := clang libclang-rt-dev faketime gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user systemd
# Unpacked and not installed: Debian would start them as services.
UNPACKED := caddy nginx prometheus
UNPACKED_FILES := usr/bin/caddy usr/bin/promtool usr/sbin/nginx
system-packages:
	@dpkg-query -W $(SYSTEM_PACKAGES) >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null; } \
	|| echo "Not all of $(SYSTEM_PACKAGES) could be installed (as root, by apt-get, from the network): tests that need them are skipped or fail."
	@ls $(UNPACKED_FILES:%=.venv/debian/%) >/dev/null 2>&1 \
	|| { { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && mkdir -p .venv/debian && cd .venv/debian \
	     && apt-get download -qq -o APT::Sandbox::User=root $(UNPACKED) \
	     && for package in *.deb; do dpkg -x $$package . && rm $$package; done; } \
	|| echo "Not all of $(UNPACKED) could be unpacked (by apt-get, from the network): tests that need them are skipped."

# Programs that speak OpenAI's API, each with its lock in an environment of its own: .venv/clients.
CLIENTS := llm langchain_openai pydantic_ai
NODE := nodejs npm
CLIENT_SECONDS := 600
clients: $(CLIENTS:%=.venv/clients/%/client.stamp) .venv/clients/ai_sdk/client.stamp

.venv/clients/ai_sdk/client.stamp: $(wildcard tests/system/clients/ai_sdk/*)
	@{ command -v node && command -v npm; } >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(NODE) >/dev/null; } \
	|| echo "Not all of $(NODE) could be installed (as root, by apt-get, from the network)."
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D) && cd $(@D) \
	&& timeout $(CLIENT_SECONDS) npm ci --silent --ignore-scripts --no-audit --no-fund && touch $(@F) \
	|| echo "npm's client ai_sdk could not be set up (from the network): its test is skipped."

.venv/clients/%/client.stamp: tests/system/clients/%.lock
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D) \
	&& timeout $(CLIENT_SECONDS) $(@D)/bin/pip install -q --no-deps --require-hashes -r $< && touch $@ \
	|| { rm -rf $(@D); echo "The client $* could not be set up (from the network): its test is skipped."; }

# Only a change of training/ needs these; they draw with 43 packages of fonts.
test-training: .venv/dev.stamp training-fonts
	$(BIN)/python -m pytest -m training tests/training $(ARGS)

# Wheels with the kernel inside, for both processors, in dist/.
wheel: .venv/build.stamp
	for arch in x86_64 aarch64; do \
	  rm -rf build && KERNEL_ARCH=$$arch $(BIN)/python -m build --wheel --no-isolation -o dist . || exit 1; \
	done
	rm -rf build

# Renews the locks, and keeps what is pinned as far as pyproject.toml allows: remove a line, or give ARGS="--upgrade".
# uv does not read pip's settings, so it is told the index and the certificates that pip uses.
PIP_SETTING = $(BIN)/pip config list | sed -n "s/^[a-z:]*\.$(1)='\(.*\)'$$/\1/p" | head -1
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --constraint requirements-torch.lock --no-emit-package torch --no-emit-package pip
lock: .venv/dev.stamp
	index=$$($(call PIP_SETTING,index-url)); [ -z "$$index" ] || export UV_DEFAULT_INDEX="$$index"; \
	certificates=$$($(call PIP_SETTING,cert)); [ -z "$$certificates" ] || export SSL_CERT_FILE="$$certificates"; \
	$(COMPILE) pyproject.toml --extra all --extra modelscope -o requirements.lock $(ARGS) \
	&& for group in dev build; do \
	  $(COMPILE) --group $$group --constraint requirements.lock -o requirements-$$group.lock $(ARGS) || exit 1; \
	done; \
	for client in $(CLIENTS:%=tests/system/clients/%); do $(COMPILE) $$client.in -o $$client.lock $(ARGS) || exit 1; done; \
	! command -v npm >/dev/null || npm install --prefix tests/system/clients/ai_sdk --package-lock-only --silent --ignore-scripts

# Every pinned package has a wheel for each Python that is promised; torch comes from an index of its own.
LOCKS := requirements.lock requirements-dev.lock requirements-build.lock
lock-check: .venv/dev.stamp
	for version in 3.11 3.12 3.13 3.14; do \
	  $(BIN)/pip install -q --dry-run --ignore-installed --no-deps --target .venv/none --python-version $$version \
	    --only-binary :all: $(LOCKS:%=-r %) && echo "Python $$version: every package has a wheel" || exit 1; \
	done

# Pins the image that ours stands on to what its tag names today; needs Docker.
pin-image:
	digest=$$(docker buildx imagetools inspect python:3.11-slim-bookworm --format '{{.Manifest.Digest}}') \
	&& sed -i "s|^ARG BASE=.*|ARG BASE=python:3.11-slim-bookworm@$$digest|" Dockerfile

check: .venv/dev.stamp audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Known holes in the packages we pin, that do not concern us: AUDIT_ALLOW="--ignore-vuln ID", with the reason here. None today.
# Being offline is no failure, and is said.
AUDIT_ALLOW ?=
audit: .venv/dev.stamp
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --no-deps $(AUDIT_ALLOW) -r requirements-torch.lock $(LOCKS:%=-r %) >.venv/audit.txt 2>&1; \
	skipped=$$(grep -c "could not be audited" .venv/audit.txt); pinned=$$(cat requirements-torch.lock $(LOCKS) | grep -o "^[^ ]*==[^ ]*" | sort -u | wc -l); \
	if grep -A99 "^Found [0-9]* known vulnerabilit" .venv/audit.txt; then exit 1; \
	elif ! grep -q "^No known vulnerabilit" .venv/audit.txt || [ "$$((2 * skipped))" -ge "$$pinned" ]; \
	then echo "pip-audit: NOT DONE, the advisories cannot be reached from here (.venv/audit.txt says more)"; \
	else echo "pip-audit: no known holes in $$((pinned - skipped)) packages; $$skipped could not be looked up from here"; fi

# Puts each translation under the files that say it.
locale: .venv/dev.stamp
	$(BIN)/python -m tests.core.sentences

format: .venv/dev.stamp locale
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The browser tests need a Chromium and one font with Chinese characters; without them they say that they were skipped.
# Without a window's parts Chromium needs half of the processor's time; a whole one is taken where there is no other.
SYSTEM := chromium-headless-shell fonts-wqy-microhei
system:
	@{ command -v chromium-headless-shell && fc-list :lang=zh | grep -q .; } >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(SYSTEM) >/dev/null; } \
	|| echo "Not all of $(SYSTEM) could be installed (as root, by apt-get, from the network): tests that need them will be skipped."

# What the training draws with (training/fonts.toml); without these its tests say that they were skipped.
FONTS := fonts-arphic-gbsn00lp fonts-arphic-ukai fonts-arphic-uming fonts-b612 fonts-cabin fonts-cantarell \
  fonts-clear-sans fonts-crosextra-caladea fonts-crosextra-carlito fonts-dejavu-core fonts-dosis fonts-droid-fallback \
  fonts-freefont-ttf fonts-go fonts-hack fonts-horai-umefont fonts-inter fonts-ipafont-gothic fonts-junction \
  fonts-karla fonts-lato fonts-liberation2 fonts-lxgw-wenkai fonts-manrope fonts-morisawa-bizud-gothic \
  fonts-motoya-l-cedar fonts-mplus fonts-noto-cjk fonts-noto-cjk-extra fonts-noto-core fonts-open-sans fonts-oxygen \
  fonts-paratype fonts-play fonts-quicksand fonts-roboto-unhinted fonts-sawarabi-gothic fonts-sil-andika \
  fonts-smiley-sans fonts-sora fonts-vlgothic fonts-wqy-microhei fonts-wqy-zenhei
FACES := truetype/wqy/wqy-zenhei.ttc opentype/noto/NotoSansCJK-Light.ttc truetype/motoya-l-cedar/MTLc3m.ttf \
  opentype/fandol/FandolHei-Regular.otf
# Fandol comes only inside TeX's Chinese package; TeX itself is not needed.
TEX := texlive-lang-chinese
# Three makers' Chinese faces that Debian does not have.
PACKS := @ibm/plex-sans-sc@1.1.0 harmonyos-sans@1.0.0 @expo-google-fonts/zcool-kuaile@0.4.2 \
  @expo-google-fonts/zcool-qingke-huangyou@0.4.1 @expo-google-fonts/zcool-xiaowei@0.4.1
training-fonts:
	@ls $(FACES:%=/usr/share/fonts/%) >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(FONTS) >/dev/null \
	     && cd $$(mktemp -d) && apt-get download -qq -o APT::Sandbox::User=root $(TEX) && mkdir -p /usr/share/fonts/opentype \
	     && dpkg-deb --fsys-tarfile $(TEX)_*.deb \
	      | tar -xC /usr/share/fonts/opentype --strip-components=8 --wildcards '*/fandol/*.otf' && rm $(TEX)_*.deb; } \
	|| echo "Not all of $(FONTS), and the Fandol fonts of $(TEX), could be installed (as root, by apt-get, from the network): tests that need them will be skipped."
	@[ -e /usr/share/fonts/npm ] \
	|| { [ "$$(id -u)" = 0 ] && command -v npm >/dev/null && cd $$(mktemp -d) && npm pack --silent $(PACKS) >/dev/null \
	     && for pack in *.tgz; do tar -xf $$pack && rm $$pack; done && $(PYTHON) -m zipfile -e package/*.zip package \
	     && mkdir npm && find package -regextype egrep -regex '.*/(IBM.*[.]woff|HarmonyOS_Sans_SC_.*[.]ttf|ZCOOL.*[.]ttf)' -exec mv -t npm {} + \
	     && mv npm /usr/share/fonts/ && rm -r package; } \
	|| echo "The fonts of $(PACKS) could not be installed (as root, by npm, from the network): tests that need them will be skipped."

demo-eval: .venv/dev.stamp training-fonts
	$(BIN)/python -m training.evaluate $(ARGS)

# Speed and memory of the engine; ARGS="FOLDER --against URL" measures beside another server. Needs a quiet machine.
bench: .venv/dev.stamp
	$(BIN)/python -m core.engine bench $(ARGS)

# The long forms of tests/chaos. 1,000 kills take about half an hour; ARGS="--kills 20" is a minute's work.
chaos: .venv/dev.stamp
	$(BIN)/python -m tests.chaos storm $(ARGS)

# Deliberate faults of the service, each of which the storm must see; ARGS="--names quota --seeds 1" is one of them.
chaos-mutants: .venv/dev.stamp
	$(BIN)/python -m tests.chaos mutants $(ARGS)

hostile: .venv/dev.stamp
	$(BIN)/python -m tests.chaos hostile $(ARGS)

soak: .venv/dev.stamp
	$(BIN)/python -m tests.chaos soak $(ARGS)

# JSON within 300 made-up and hostile schemas, of the demo model; some minutes, and the figures need a quiet machine.
schemas: .venv/dev.stamp
	$(BIN)/python -m tests.core.engine.try_schemas $(ARGS)

# A machine with idle cores gives the truest figures; each round takes about half a minute.
attacks: .venv/dev.stamp
	$(BIN)/python -m tests.chaos attacks $(ARGS)

# CPU time, statements and seconds for each question with several services and with one, with a stub of an engine.
cost: .venv/dev.stamp
	$(BIN)/python -m tests.chaos cost $(ARGS)

clean:
	rm -rf .venv

# A CPU wheel of torch that lies locally is taken; else PyTorch's own CPU index, which spares gigabytes of CUDA; at last
# the ordinary index. What was taken is said.
.venv/torch.stamp: requirements-torch.lock
	$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --no-index --no-deps "$(TORCH)" 2>/dev/null && echo "$(TORCH): a local wheel" \
	|| { $(BIN)/pip install -q --no-deps --index-url $(TORCH_INDEX) "$(TORCH)" && echo "$(TORCH): from PyTorch's CPU index"; } \
	|| { echo "$(TORCH): PyTorch's CPU index is out of reach, so your package index is asked; its build may bring CUDA (gigabytes)"; \
	     $(BIN)/pip install -q "$(TORCH)"; }
	touch $@

# The locks are installed with their hashes, and the project itself without asking for anything else.
INSTALL := $(BIN)/pip install -q --no-deps --require-hashes -r
.venv/run.stamp: .venv/torch.stamp pyproject.toml requirements.lock
	$(INSTALL) requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.lock
	$(INSTALL) requirements-dev.lock
	touch $@

.venv/build.stamp: .venv/dev.stamp requirements-build.lock
	$(INSTALL) requirements-build.lock
	touch $@
