import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Compiles every {@code .cu} below the modules' resources to PTX of both tiers, and writes what is known of the kernels
 * into {@code kernels.json} beside them. Needs nvcc and ptxas on the PATH. Run from the repository's root:
 *
 * <pre>java native-bindings/src/main/cuda/CompileKernels.java [name.cu ...]</pre>
 *
 * nvcc stamps its own newest PTX version into the text, which older drivers refuse although the body uses nothing new. So
 * the header is rewritten to the tier's, and that is checked: ptxas takes the rewritten text for every architecture, and on
 * one of them makes the same machine code of both texts.
 */
final class CompileKernels {

    /** What a tier's files say, what they are compiled for, and the architectures that must take them. */
    private record Tier(int number, String version, String target, int compiledFor, List<Integer> architectures) {}

    private static final List<Tier> TIERS = List.of(
            new Tier(70, "6.0", "sm_70", 75, List.of(75, 80, 86, 89, 90, 100, 120)),
            new Tier(80, "7.0", "sm_80", 80, List.of(80, 86, 89, 90, 100, 120)));

    private static final Pattern ENTRY = Pattern.compile("\\.entry\\s+(\\w+)\\s*\\(([^)]*)\\)([^{]*)\\{");
    private static final Pattern PARAMETER = Pattern.compile(
            "\\.param\\s+(?:\\.align\\s+(\\d+)\\s+)?\\.(\\w+)\\s+(?:\\.ptr(?:\\s+\\.\\w+)?(?:\\s+\\.align\\s+\\d+)?\\s+)?(\\w+)(?:\\[(\\d+)\\])?");
    private static final Pattern SHARED = Pattern.compile("\\.shared\\s+\\.align\\s+\\d+\\s+\\.b8\\s+(\\w+)\\[(\\d+)\\]");
    private static final Pattern USED = Pattern.compile(
            "Compiling entry function '(\\w+)'.*?(\\d+) bytes spill stores, (\\d+) bytes spill loads.*?Used (\\d+) registers", Pattern.DOTALL);

    public static void main(String[] names) throws Exception {
        Path root = Path.of("").toAbsolutePath();
        List<Path> sources;
        try (Stream<Path> files = Files.walk(root)) {
            sources = files.filter(file -> file.toString().endsWith(".cu") && file.toString().contains("/src/main/resources/"))
                    .sorted().toList();
        }
        Path work = Files.createTempDirectory("kernels");
        try (ExecutorService two = Executors.newFixedThreadPool(2)) {
            compileAll(root, sources, names, work, two);
        }
    }

    private static void compileAll(Path root, List<Path> sources, String[] names, Path work, ExecutorService two) throws Exception {
        Map<Path, Map<String, Future<String>>> folders = new TreeMap<>();
        for (Path source : sources) {
            String name = source.getFileName().toString();
            if (names.length > 0 && !List.of(names).contains(name)) {
                continue;
            }
            Callable<String> compile = () -> compile(root, source, work);
            folders.computeIfAbsent(source.getParent(), folder -> new TreeMap<>()).put(name, two.submit(compile));
        }
        for (Map.Entry<Path, Map<String, Future<String>>> folder : folders.entrySet()) {
            Map<String, String> entries = new TreeMap<>(known(folder.getKey().resolve("kernels.json")));
            for (Map.Entry<String, Future<String>> source : folder.getValue().entrySet()) {
                entries.put(source.getKey(), source.getValue().get());
            }
            String json = entries.values().stream().collect(Collectors.joining(",\n", "{\n  \"nvcc\": " + quote(version()) + ",\n", "\n}\n"));
            Files.writeString(folder.getKey().resolve("kernels.json"), json);
        }
    }

    /** The entries of sources in a manifest that was written before, each as its text. */
    private static Map<String, String> known(Path manifest) throws IOException {
        Map<String, String> known = new TreeMap<>();
        if (Files.exists(manifest)) {
            Matcher entry = Pattern.compile("^  \"(\\w+\\.cu)\": \\{.*?^  \\}", Pattern.DOTALL | Pattern.MULTILINE).matcher(Files.readString(manifest));
            while (entry.find()) {
                known.put(entry.group(1), entry.group());
            }
        }
        return known;
    }

    private static String compile(Path root, Path source, Path work) throws Exception {
        String name = source.getFileName().toString().replace(".cu", "");
        StringBuilder json = new StringBuilder("  " + quote(name + ".cu") + ": {\n    \"sha256\": " + quote(hash(Files.readAllBytes(source))) + ",\n    \"tiers\": {\n");
        for (Tier tier : TIERS) {
            Path made = work.resolve(name + "." + tier.number + ".made.ptx");
            run("nvcc", "-arch=compute_" + tier.compiledFor, "-O3", "-std=c++17", "-ptx",
                    "-I" + root.resolve("native-bindings/src/main/cuda"), "-o", made.toString(), source.toString());
            String original = Files.readString(made);
            String text = rewritten(original, tier);
            Path ptx = source.resolveSibling(name + ".sm" + tier.number + ".ptx");
            Files.writeString(ptx, text);
            Map<String, Map<Integer, String>> use = new TreeMap<>();
            for (int architecture : tier.architectures) {
                String log = assemble(ptx, architecture, work.resolve(name + "." + tier.number + ".cubin"));
                Matcher used = USED.matcher(log);
                while (used.find()) {
                    use.computeIfAbsent(used.group(1), kernel -> new TreeMap<>())
                            .put(architecture, "[" + used.group(4) + ", " + used.group(2) + "]");
                }
            }
            Path one = work.resolve(name + ".one.cubin");
            Path other = work.resolve(name + ".other.cubin");
            assemble(ptx, 90, one);
            assemble(made, 90, other);
            if (!code(one).equals(code(other))) {
                throw new IllegalStateException(source + ": the rewritten header changes the machine code");
            }
            json.append("      \"").append(tier.number).append("\": {\n        \"sha256\": ").append(quote(hash(text.getBytes(StandardCharsets.UTF_8))))
                    .append(",\n        \"opcodes\": ").append(list(opcodes(text))).append(",\n        \"kernels\": {\n")
                    .append(kernels(text, use)).append("\n        }\n      }").append(tier.number == 70 ? ",\n" : "\n");
        }
        return json.append("    }\n  }").toString();
    }

    private static String rewritten(String text, Tier tier) {
        String header = text.replaceFirst("(?m)^\\.version .*$", ".version " + tier.version).replaceFirst("(?m)^\\.target .*$", ".target " + tier.target);
        return header.lines().filter(line -> !line.startsWith("//")).map(String::stripTrailing)
                .collect(Collectors.joining("\n", "", "\n")).replaceFirst("^\\n+", "");
    }

    /** Parameters with offsets, block size, static shared bytes, and for each architecture registers and spilled bytes. */
    private static String kernels(String text, Map<String, Map<Integer, String>> use) {
        List<String> kernels = new ArrayList<>();
        Matcher entry = ENTRY.matcher(text);
        while (entry.find()) {
            List<String> parameters = new ArrayList<>();
            int offset = 0;
            Matcher parameter = PARAMETER.matcher(entry.group(2));
            while (parameter.find()) {
                int size = Integer.parseInt(parameter.group(2).substring(1)) / 8;
                int align = parameter.group(1) == null ? size : Integer.parseInt(parameter.group(1));
                int bytes = parameter.group(4) == null ? size : size * Integer.parseInt(parameter.group(4));
                offset = (offset + align - 1) / align * align;
                parameters.add("[" + quote(parameter.group(2)) + ", " + bytes + ", " + offset + "]");
                offset += bytes;
            }
            Matcher most = Pattern.compile("\\.maxntid (\\d+)").matcher(entry.group(3));
            Matcher shared = SHARED.matcher(text.substring(entry.end(), end(text, entry.end())));
            int sharedBytes = 0;
            while (shared.find()) {
                sharedBytes += Integer.parseInt(shared.group(2));
            }
            kernels.add("          " + quote(entry.group(1)) + ": {\"parameters\": " + list(parameters) + ", \"maxThreads\": "
                    + (most.find() ? most.group(1) : "1024") + ", \"sharedBytes\": " + sharedBytes + ", \"registersAndSpills\": "
                    + use.get(entry.group(1)).entrySet().stream().map(e -> "\"sm_" + e.getKey() + "\": " + e.getValue())
                            .collect(Collectors.joining(", ", "{", "}")) + "}");
        }
        return String.join(",\n", kernels);
    }

    private static int end(String text, int from) {
        int depth = 1;
        int at = from;
        for (; depth > 0; at++) {
            depth += text.charAt(at) == '{' ? 1 : text.charAt(at) == '}' ? -1 : 0;
        }
        return at;
    }

    private static TreeSet<String> opcodes(String text) {
        TreeSet<String> opcodes = new TreeSet<>();
        Matcher instruction = Pattern.compile("(?m)^\\s+(?:@!?%p\\d+\\s+)?([a-z][a-z0-9_.:]*)[\\s;]").matcher(text);
        while (instruction.find()) {
            opcodes.add(quote(instruction.group(1)));
        }
        return opcodes;
    }

    private static String assemble(Path ptx, int architecture, Path cubin) throws Exception {
        return run("ptxas", "-v", "-arch=sm_" + architecture, "-o", cubin.toString(), ptx.toString());
    }

    /** The sections of machine code of a cubin, by their names: an ELF file of 64 bits. */
    private static Map<String, String> code(Path cubin) throws Exception {
        ByteBuffer elf = ByteBuffer.wrap(Files.readAllBytes(cubin)).order(ByteOrder.LITTLE_ENDIAN);
        int sections = (int) elf.getLong(40);
        int size = elf.getShort(58);
        int count = elf.getShort(60);
        int names = (int) elf.getLong(sections + elf.getShort(62) * size + 24);
        Map<String, String> code = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            int header = sections + i * size;
            int at = names + elf.getInt(header);
            int end = at;
            while (elf.get(end) != 0) {
                end++;
            }
            String name = new String(elf.array(), at, end - at, StandardCharsets.US_ASCII);
            if (name.startsWith(".text.")) {
                byte[] bytes = new byte[(int) elf.getLong(header + 32)];
                elf.get((int) elf.getLong(header + 24), bytes);
                code.put(name, hash(bytes));
            }
        }
        if (code.isEmpty()) {
            throw new IllegalStateException(cubin + " has no machine code");
        }
        return code;
    }

    private static String version() throws Exception {
        Matcher release = Pattern.compile("V([\\d.]+)").matcher(run("nvcc", "--version"));
        return release.find() ? release.group(1) : "unknown";
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + "\n" + said);
        }
        return said;
    }

    private static String hash(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static String list(Iterable<String> items) {
        return "[" + String.join(", ", items) + "]";
    }

    private static String quote(String text) {
        return '"' + text + '"';
    }
}
