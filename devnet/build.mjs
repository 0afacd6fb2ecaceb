// Compiles contracts/*.sol with the solc from npm, sources that authors publish without bytecode with the solc that they
// name, and takes Multicall3's creation bytecode out of viem.
// Writes one JSON artifact a contract to build/artifacts-<digest of the inputs>/ and prints that folder.
// Never downloads anything.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const home = dirname(fileURLToPath(import.meta.url));
const packages = join(home, "node_modules");

const sourceFiles = () =>
  readdirSync(join(home, "contracts")).filter((name) => name.endsWith(".sol")).sort().map((name) => join("contracts", name));

// The same digest is computed by devnet/build.py: name, NUL, content, NUL of each input.
function digest() {
  const hash = createHash("sha256");
  for (const name of ["build.mjs", "package-lock.json", ...sourceFiles()]) {
    hash.update(name.replaceAll("\\", "/")).update("\0").update(readFileSync(join(home, name))).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

// Sources in npm packages, with the compiler that their pragma names (an alias in package.json).
const published = [
  {
    compiler: "solc-0.8.19",
    evmVersion: "paris",
    files: ["Morpho.sol", "mocks/OracleMock.sol", "mocks/IrmMock.sol"].map((name) => `@morpho-org/morpho-blue/src/${name}`),
  },
  { compiler: "solc", evmVersion: "cancun", files: ["@pythnetwork/pyth-sdk-solidity/MockPyth.sol"] },
];

function compileAll() {
  const own = sourceFiles().map((name) => [name, readFileSync(join(home, name), "utf8")]);
  return [
    ...compile("solc", "cancun", own),
    ...published.flatMap(({ compiler, evmVersion, files }) =>
      compile(compiler, evmVersion, files.map((name) => [name, readFileSync(join(packages, name), "utf8")]))),
  ];
}

function compile(compiler, evmVersion, files) {
  const solc = createRequire(import.meta.url)(compiler);
  const sources = Object.fromEntries(files.map(([name, content]) => [name, { content }]));
  const settings = {
    optimizer: { enabled: true, runs: 200 },
    evmVersion,
    metadata: { bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  };
  const imported = (path) => ({ contents: readFileSync(join(packages, path), "utf8") });
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings }), { import: imported }));
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  return Object.keys(sources).flatMap((name) => Object.entries(output.contracts[name] ?? {}));
}

async function multicall3() {
  const file = join(packages, "viem", "_esm", "constants", "contracts.js");
  const { multicall3Bytecode } = await import(pathToFileURL(file).href);
  return { contractName: "Multicall3", abi: [], bytecode: multicall3Bytecode };
}

async function write(folder) {
  for (const [contractName, { abi, evm }] of compileAll()) {
    if (evm.bytecode.object === "") continue;
    writeFileSync(join(folder, `${contractName}.json`), JSON.stringify({ contractName, abi, bytecode: `0x${evm.bytecode.object}` }));
  }
  writeFileSync(join(folder, "Multicall3.json"), JSON.stringify(await multicall3()));
}

// Written aside and renamed into place, so that two builds at once cannot see each other's halves.
async function build() {
  const target = join(home, "build", `artifacts-${digest()}`);
  if (existsSync(target)) return target;
  mkdirSync(join(home, "build"), { recursive: true });
  const aside = mkdtempSync(join(home, "build", `.${basename(target)}-`));
  try {
    await write(aside);
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

console.log(await build());
