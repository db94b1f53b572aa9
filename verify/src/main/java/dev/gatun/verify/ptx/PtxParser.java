package dev.gatun.verify.ptx;

import dev.gatun.verify.ptx.PtxKernel.Parameter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads PTX (ISA 6.0 to 7.0) as far as kernels use it: kernels with parameters, registers in nested scopes, shared memory
 * of kernels and of the module, labels. What instructions mean is {@link PtxDecoder}'s. Nothing is passed over but
 * performance hints: {@code .pragma}, {@code .minnctapersm}.
 */
final class PtxParser {

    /** A register: its slot, or its number among predicates; its width in bytes, 0 for a predicate. */
    record Register(int index, int bytes) {}

    private final PtxTokens tokens;
    private final Map<String, PtxKernel> kernels = new LinkedHashMap<>();
    private final Map<String, Integer> moduleShared = new HashMap<>();
    private final List<String> dynamicShared = new ArrayList<>();
    private int moduleSharedBytes;
    private int version;
    private int target;

    PtxParser(String text) {
        this.tokens = new PtxTokens(text);
    }

    PtxModule module() {
        while (tokens.more()) {
            String word = tokens.peek();
            switch (word) {
                case ".version" -> {
                    tokens.take();
                    String number = tokens.take();
                    if (!number.matches("\\d\\.\\d")) {
                        throw tokens.refusal("\"" + number + "\" is no version");
                    }
                    version = Integer.parseInt(number.replace(".", ""));
                }
                case ".target" -> {
                    tokens.take();
                    String name = tokens.take();
                    if (!name.matches("sm_\\d+")) {
                        throw tokens.refusal("target " + name + " is not emulated");
                    }
                    target = Integer.parseInt(name.substring(3));
                }
                case ".address_size" -> {
                    tokens.take();
                    if (!tokens.peek().equals("64")) {
                        throw tokens.refusal("addresses have 64 bits");
                    }
                    tokens.take();
                }
                case ".extern", ".shared" -> {
                    boolean extern = tokens.skip(".extern");
                    moduleSharedBytes = shared(moduleShared, moduleSharedBytes, extern);
                }
                case ".visible" -> {
                    tokens.take();
                    tokens.expect(".entry");
                    kernel();
                }
                case ".entry" -> {
                    tokens.take();
                    kernel();
                }
                default -> throw tokens.refusal("directive " + word + " is not emulated");
            }
        }
        if (version == 0 || target == 0) {
            throw tokens.refusal(".version and .target are missing");
        }
        return new PtxModule(version, target, kernels);
    }

    private int number() {
        String word = tokens.take();
        try {
            return Integer.parseInt(word);
        } catch (NumberFormatException e) {
            throw tokens.refusal("\"" + word + "\" is no whole number");
        }
    }

    static int bytes(String type) {
        return switch (type) {
            case ".b8", ".u8", ".s8" -> 1;
            case ".b16", ".u16", ".s16", ".f16" -> 2;
            case ".b32", ".u32", ".s32", ".f32" -> 4;
            case ".b64", ".u64", ".s64", ".f64" -> 8;
            default -> 0;
        };
    }

    private int typeBytes() {
        String type = tokens.take();
        int bytes = bytes(type);
        if (bytes == 0) {
            throw tokens.refusal("type " + type + " is not emulated");
        }
        return bytes;
    }

    private static int aligned(int offset, int align) {
        return (offset + align - 1) / align * align;
    }

    /** A variable in shared memory; where the memory in use ends then. */
    private int shared(Map<String, Integer> into, int used, boolean extern) {
        tokens.expect(".shared");
        int align = tokens.skip(".align") ? number() : 0;
        int element = typeBytes();
        String name = tokens.take();
        int at = aligned(used, Math.max(align, element));
        int count = 1;
        if (tokens.skip("[")) {
            if (tokens.peek().equals("]") && extern) {
                count = 0;
            } else {
                count = number();
            }
            tokens.expect("]");
        }
        tokens.expect(";");
        if (count == 0) {
            dynamicShared.add(name);
            return used;
        }
        into.put(name, at);
        return at + count * element;
    }

    // ---- kernels ----

    private void kernel() {
        String name = tokens.take();
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        int parameterBytes = 0;
        if (tokens.skip("(")) {
            while (!tokens.skip(")")) {
                tokens.expect(".param");
                int align = tokens.skip(".align") ? number() : 0;
                int element = typeBytes();
                String parameter = tokens.take();
                int count = 1;
                if (tokens.skip("[")) {
                    count = number();
                    tokens.expect("]");
                }
                int at = aligned(parameterBytes, Math.max(align, element));
                parameters.put(parameter, new Parameter(at, element * count));
                parameterBytes = at + element * count;
                tokens.skip(",");
            }
        }
        int mostThreads = 1024;
        while (!tokens.peek().equals("{")) {
            switch (tokens.take()) {
                case ".maxntid" -> {
                    mostThreads = number();
                    while (tokens.skip(",")) {
                        mostThreads *= number();
                    }
                }
                case ".minnctapersm" -> number();
                default -> throw tokens.refusal("kernel directive before " + tokens.peek() + " is not emulated");
            }
        }
        kernels.put(name, new Body(name, parameters, parameterBytes, mostThreads).read());
    }

    /** A kernel's body while it is read. */
    final class Body {

        private final String name;
        private final Map<String, Parameter> parameters;
        private final int parameterBytes;
        private final int mostThreads;
        private final Deque<Map<String, Register>> scopes = new ArrayDeque<>();
        private final Map<String, Integer> shared = new HashMap<>(moduleShared);
        private final Map<String, Integer> labels = new HashMap<>();
        private final Map<Instruction, String> branches = new LinkedHashMap<>();
        private final List<Instruction> code = new ArrayList<>();
        private final Map<Long, Integer> constants = new LinkedHashMap<>();
        private int sharedBytes = moduleSharedBytes;
        private int registers;
        private int predicates;

        Body(String name, Map<String, Parameter> parameters, int parameterBytes, int mostThreads) {
            this.name = name;
            this.parameters = parameters;
            this.parameterBytes = parameterBytes;
            this.mostThreads = mostThreads;
        }

        PtxKernel read() {
            tokens.expect("{");
            scopes.push(new HashMap<>());
            while (!scopes.isEmpty()) {
                statement();
            }
            branches.forEach((branch, label) -> {
                Integer at = labels.get(label);
                if (at == null) {
                    throw new PtxRefusal(branch.line, branch.text, "there is no label " + label);
                }
                branch.target = at;
            });
            // Constants are numbered from the end while registers are still being declared.
            long[] values = constants.keySet().stream().mapToLong(Long::longValue).toArray();
            int first = registers + PtxKernel.SPECIAL.size();
            for (Instruction i : code) {
                for (int k = 0; k < i.in.length; k++) {
                    i.in[k] = PtxDecoder.placed(i.in[k], registers, first);
                }
            }
            int dynamic = aligned(sharedBytes, 16);
            for (int k = 0; k < values.length; k++) {
                values[k] = values[k] == PtxDecoder.DYNAMIC_SHARED ? dynamic : values[k];
            }
            return new PtxKernel(name, parameters, parameterBytes, code.toArray(Instruction[]::new), registers, predicates, values,
                    sharedBytes, mostThreads);
        }

        private void statement() {
            String word = tokens.peek();
            switch (word) {
                case "{" -> {
                    tokens.take();
                    scopes.push(new HashMap<>());
                }
                case "}" -> {
                    tokens.take();
                    scopes.pop();
                }
                case ".reg" -> declare();
                case ".shared" -> sharedBytes = PtxParser.this.shared(shared, sharedBytes, false);
                case ".pragma" -> {
                    tokens.take();
                    if (!tokens.take().equals("\"nounroll\"")) {
                        throw tokens.refusal("this pragma is not emulated");
                    }
                    tokens.expect(";");
                }
                default -> {
                    if (word.startsWith(".")) {
                        throw tokens.refusal("directive " + word + " is not emulated");
                    }
                    if (tokens.peek(1).equals(":")) {
                        if (labels.put(word, code.size()) != null) {
                            throw tokens.refusal("label " + word + " is there twice");
                        }
                        tokens.take();
                        tokens.take();
                    } else {
                        code.add(new PtxDecoder(tokens, this).instruction());
                    }
                }
            }
        }

        private void declare() {
            tokens.take();
            boolean truth = tokens.peek().equals(".pred");
            int bytes = 0;
            if (truth) {
                tokens.take();
            } else {
                bytes = typeBytes();
            }
            do {
                String register = tokens.take();
                if (tokens.skip("<")) {
                    int count = number();
                    tokens.expect(">");
                    for (int k = 0; k < count; k++) {
                        declare(register + k, bytes, truth);
                    }
                } else {
                    declare(register, bytes, truth);
                }
            } while (tokens.skip(","));
            tokens.expect(";");
        }

        private void declare(String register, int bytes, boolean truth) {
            scopes.peek().put(register, new Register(truth ? predicates++ : registers++, bytes));
        }

        /** The register of that name in the innermost scope that has it, or null. */
        Register register(String name) {
            for (Map<String, Register> scope : scopes) {
                Register found = scope.get(name);
                if (found != null) {
                    return found;
                }
            }
            return null;
        }

        int constant(long value) {
            return constants.computeIfAbsent(value, v -> constants.size());
        }

        Integer shared(String variable) {
            return shared.get(variable);
        }

        boolean dynamic(String variable) {
            return dynamicShared.contains(variable);
        }

        Parameter parameter(String parameter) {
            return parameters.get(parameter);
        }

        void branch(Instruction from, String label) {
            branches.put(from, label);
        }
    }
}
