package dev.gatun.verify.ptx;

import dev.gatun.verify.ptx.Instruction.Kind;
import dev.gatun.verify.ptx.Instruction.Space;
import dev.gatun.verify.ptx.PtxParser.Register;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Turns one instruction of a text into what the emulated device runs, and refuses it by name when it is unknown. */
final class PtxDecoder {

    /** Where parameters lie among addresses. */
    static final long PARAMETERS = 0x10000;

    /** Stands for the first byte of dynamic shared memory until all static memory is known. */
    static final long DYNAMIC_SHARED = 0x5AFE_0000_D1CE_0001L;

    /** Slots of special registers while a text is read, and of constants behind them; registers are counted from 0. */
    private static final int SPECIAL = 1 << 24;
    private static final int CONSTANT = 1 << 25;

    private static final Pattern MEMORY = Pattern.compile("(ld|st)\\.(global|shared|param)(?:\\.(v2|v4))?\\.([busf])(8|16|32|64)");
    private static final Pattern COMPARE = Pattern.compile("setp\\.([a-z]+)\\.([a-z]\\d+)");
    private static final Pattern SELECT = Pattern.compile("selp\\.[busf](16|32|64)");

    private final PtxTokens tokens;
    private final PtxParser.Body body;
    private final int line;
    private final String text;
    private int guard = -1;
    private boolean guardNegated;

    PtxDecoder(PtxTokens tokens, PtxParser.Body body) {
        this.tokens = tokens;
        this.body = body;
        this.line = tokens.line();
        this.text = tokens.source();
    }

    /** The place of a slot when the number of registers is known. */
    static int placed(int slot, int registers, int firstConstant) {
        return slot >= CONSTANT ? firstConstant + slot - CONSTANT : slot >= SPECIAL ? registers + slot - SPECIAL : slot;
    }

    private PtxRefusal refusal(String why) {
        return new PtxRefusal(line, text, why);
    }

    Instruction instruction() {
        if (tokens.skip("@")) {
            guardNegated = tokens.skip("!");
            guard = truth(tokens.take());
        }
        String opcode = tokens.take();
        List<List<String>> operands = operands();
        Instruction made = made(opcode, operands);
        made.guard = guard;
        made.guardNegated = guardNegated;
        return made;
    }

    /** Operands up to the semicolon, as their words. */
    private List<List<String>> operands() {
        List<List<String>> operands = new ArrayList<>();
        List<String> words = new ArrayList<>();
        int depth = 0;
        while (!tokens.peek().equals(";")) {
            String word = tokens.take();
            depth += word.equals("{") || word.equals("[") ? 1 : word.equals("}") || word.equals("]") ? -1 : 0;
            if (word.equals(",") && depth == 0) {
                operands.add(words);
                words = new ArrayList<>();
            } else {
                words.add(word);
            }
        }
        tokens.take();
        if (!words.isEmpty()) {
            operands.add(words);
        }
        return operands;
    }

    private void count(List<List<String>> operands, int wanted) {
        if (operands.size() != wanted) {
            throw refusal("there are " + operands.size() + " operands, " + wanted + " belong there");
        }
    }

    private Instruction made(String opcode, List<List<String>> o) {
        LaneOps.Entry entry = LaneOps.of(opcode);
        boolean vector = !o.isEmpty() && (o.getFirst().getFirst().equals("{") || o.getLast().getFirst().equals("{"));
        if (opcode.equals("mov.b64") && vector) {
            return packing(opcode, o);
        }
        if (entry != null) {
            count(o, entry.widths().length);
            Instruction i = new Instruction(Kind.LANES, opcode, line, text);
            i.loop = entry.loop();
            i.out = new int[] {written(o.getFirst(), entry.widths()[0], false)};
            i.in = read(o.subList(1, o.size()), 1, entry.widths());
            return i;
        }
        Matcher memory = MEMORY.matcher(opcode);
        if (memory.matches()) {
            return memory(opcode, memory, o);
        }
        Matcher compare = COMPARE.matcher(opcode);
        if (compare.matches()) {
            LaneOps.Comparison comparison = Comparisons.of(compare.group(1), compare.group(2));
            if (comparison != null) {
                count(o, 3);
                Instruction i = new Instruction(Kind.COMPARE, opcode, line, text);
                i.comparison = comparison;
                i.truthOut = truth(one(o.getFirst()));
                int bytes = Integer.parseInt(compare.group(2).substring(1)) / 8;
                i.in = read(o.subList(1, 3), 0, new int[] {bytes, bytes});
                return i;
            }
        }
        Matcher select = SELECT.matcher(opcode);
        if (select.matches()) {
            count(o, 4);
            int bytes = Integer.parseInt(select.group(1)) / 8;
            Instruction i = new Instruction(Kind.SELECT, opcode, line, text);
            i.out = new int[] {written(o.getFirst(), bytes, false)};
            i.in = read(o.subList(1, 3), 0, new int[] {bytes, bytes});
            i.truths = new int[] {truth(one(o.get(3)))};
            return i;
        }
        return switch (opcode) {
            case "mov.pred", "not.pred" -> truths(opcode, o, 2);
            case "and.pred", "or.pred", "xor.pred" -> truths(opcode, o, 3);
            case "bra", "bra.uni" -> {
                count(o, 1);
                Instruction i = new Instruction(Kind.BRANCH, opcode, line, text);
                body.branch(i, one(o.getFirst()));
                yield i;
            }
            case "ret", "exit" -> {
                count(o, 0);
                yield new Instruction(Kind.RETURN, opcode, line, text);
            }
            case "bar.sync" -> {
                count(o, 1);
                if (!one(o.getFirst()).equals("0")) {
                    throw refusal("only barrier 0 is emulated");
                }
                yield new Instruction(Kind.BARRIER, opcode, line, text);
            }
            case "bar.warp.sync" -> {
                count(o, 1);
                Instruction i = new Instruction(Kind.WARP_BARRIER, opcode, line, text);
                i.in = read(o, 0, new int[] {4});
                yield i;
            }
            case "shfl.sync.bfly.b32" -> {
                count(o, 5);
                Instruction i = new Instruction(Kind.SHUFFLE, opcode, line, text);
                List<String> to = o.getFirst();
                i.out = new int[] {written(to.subList(0, 1), 4, false)};
                if (to.size() == 3 && to.get(1).equals("|")) {
                    i.truthOut = truth(to.get(2));
                } else if (to.size() != 1) {
                    throw refusal("one register is written, and a predicate behind |");
                }
                i.in = read(o.subList(1, 5), 0, new int[] {4, 4, 4, 4});
                yield i;
            }
            case "vote.sync.ballot.b32" -> {
                count(o, 3);
                Instruction i = new Instruction(Kind.BALLOT, opcode, line, text);
                i.out = new int[] {written(o.getFirst(), 4, false)};
                i.truths = new int[] {truth(one(o.get(1)))};
                i.in = read(o.subList(2, 3), 0, new int[] {4});
                yield i;
            }
            case "atom.global.cas.b64" -> {
                count(o, 4);
                Instruction i = new Instruction(Kind.SWAP, opcode, line, text);
                i.space = Space.GLOBAL;
                i.bytes = 8;
                i.out = new int[] {written(o.getFirst(), 8, false)};
                int[] rest = read(o.subList(2, 4), 0, new int[] {8, 8});
                i.in = new int[] {address(i, o.get(1)), rest[0], rest[1]};
                yield i;
            }
            default -> throw refusal("instruction " + opcode + " is not emulated");
        };
    }

    private Instruction truths(String opcode, List<List<String>> o, int wanted) {
        count(o, wanted);
        Instruction i = new Instruction(Kind.TRUTH, opcode, line, text);
        i.truthOut = truth(one(o.getFirst()));
        i.bytes = List.of("mov.pred", "not.pred", "and.pred", "or.pred", "xor.pred").indexOf(opcode);
        i.truths = new int[wanted - 1];
        for (int k = 1; k < wanted; k++) {
            String word = String.join("", o.get(k));
            boolean constant = word.matches("-?\\d+");
            if (constant && !opcode.equals("mov.pred")) {
                throw refusal("a predicate register belongs there, not " + word);
            }
            i.truths[k - 1] = constant ? -1 : truth(word);
            i.truth = constant && Integer.parseInt(word) != 0 ? -1 : 0;
        }
        return i;
    }

    /** {@code mov.b64} between a register and two halves. */
    private Instruction packing(String opcode, List<List<String>> o) {
        count(o, 2);
        boolean pack = o.getLast().getFirst().equals("{");
        Instruction i = new Instruction(pack ? Kind.PACK : Kind.UNPACK, opcode, line, text);
        List<List<String>> halves = elements(o.get(pack ? 1 : 0));
        if (halves.size() != 2) {
            throw refusal("a register of 64 bits has two halves");
        }
        if (pack) {
            i.out = new int[] {written(o.getFirst(), 8, false)};
            i.in = read(halves, 0, new int[] {4, 4});
        } else {
            i.out = new int[] {written(halves.get(0), 4, false), written(halves.get(1), 4, false)};
            i.in = read(o.subList(1, 2), 0, new int[] {8});
        }
        return i;
    }

    private static List<List<String>> elements(List<String> braces) {
        List<List<String>> elements = new ArrayList<>();
        for (String word : braces) {
            if (!word.equals("{") && !word.equals("}") && !word.equals(",")) {
                elements.add(List.of(word));
            }
        }
        return elements;
    }

    private Instruction memory(String opcode, Matcher m, List<List<String>> o) {
        count(o, 2);
        boolean load = m.group(1).equals("ld");
        Instruction i = new Instruction(load ? Kind.LOAD : Kind.STORE, opcode, line, text);
        i.space = Space.valueOf(m.group(2).toUpperCase(Locale.ROOT));
        i.bytes = Integer.parseInt(m.group(5)) / 8;
        i.signed = m.group(4).equals("s");
        boolean real = m.group(4).equals("f");
        if (i.space == Space.SHARED && i.bytes < 4 || i.space == Space.PARAM && !load || real && i.bytes < 4) {
            throw refusal("instruction " + opcode + " is not emulated");
        }
        int wanted = m.group(3) == null ? 1 : m.group(3).charAt(1) - '0';
        List<String> operand = o.get(load ? 0 : 1);
        List<List<String>> values = operand.getFirst().equals("{") ? elements(operand) : List.of(operand);
        if (values.size() != wanted) {
            throw refusal("there are " + values.size() + " elements, " + wanted + " belong there");
        }
        int address = address(i, o.get(load ? 1 : 0));
        if (load) {
            i.in = new int[] {address};
            i.out = values.stream().mapToInt(value -> written(value, i.bytes, true)).toArray();
        } else {
            i.in = new int[wanted + 1];
            i.in[0] = address;
            for (int k = 0; k < wanted; k++) {
                i.in[k + 1] = read(values.get(k), i.bytes, true);
            }
        }
        return i;
    }

    /** The slot of an address's base; what is added to it is noted in the instruction. */
    private int address(Instruction i, List<String> o) {
        if (o.size() < 3 || !o.getFirst().equals("[") || !o.getLast().equals("]")) {
            throw refusal("an address belongs in brackets");
        }
        if (o.size() > 3) {
            String offset = String.join("", o.subList(2, o.size() - 1));
            if (!offset.matches("\\+-?\\d+")) {
                throw refusal("\"" + offset + "\" is no offset");
            }
            i.offset = Long.parseLong(offset.substring(1));
        }
        String base = o.get(1);
        if (body.register(base) != null) {
            return read(List.of(base), i.space == Space.SHARED ? 4 : 8, i.space == Space.SHARED);
        }
        boolean fits = i.space == Space.PARAM ? body.parameter(base) != null
                : i.space == Space.SHARED && (body.shared(base) != null || body.dynamic(base));
        if (!fits) {
            throw refusal(base + " is nothing in " + i.space.toString().toLowerCase(Locale.ROOT) + " memory");
        }
        return CONSTANT + body.constant(named(base));
    }

    private Long named(String name) {
        if (body.parameter(name) != null) {
            return PARAMETERS + body.parameter(name).offset();
        }
        if (body.shared(name) != null) {
            return (long) body.shared(name);
        }
        return body.dynamic(name) ? DYNAMIC_SHARED : null;
    }

    private String one(List<String> operand) {
        if (operand.size() != 1) {
            throw refusal("\"" + String.join(" ", operand) + "\" is not one name");
        }
        return operand.getFirst();
    }

    private int truth(String name) {
        Register found = body.register(name);
        if (found == null || found.bytes() != 0) {
            throw refusal(name + " is no predicate register");
        }
        return found.index();
    }

    private int written(List<String> operand, int bytes, boolean wider) {
        Register found = body.register(one(operand));
        if (found == null || found.bytes() == 0) {
            throw refusal(operand.getFirst() + " is no register");
        }
        return width(operand.getFirst(), found, bytes, wider).index();
    }

    private Register width(String name, Register found, int bytes, boolean wider) {
        if (found.bytes() != bytes && !(wider && found.bytes() > bytes)) {
            throw refusal(name + " has " + 8 * found.bytes() + " bits, " + 8 * bytes + " belong there");
        }
        return found;
    }

    private int[] read(List<List<String>> operands, int first, int[] widths) {
        int[] slots = new int[operands.size()];
        for (int k = 0; k < slots.length; k++) {
            slots[k] = read(operands.get(k), widths[first + k], false);
        }
        return slots;
    }

    private int read(List<String> operand, int bytes, boolean wider) {
        String word = String.join("", operand);
        Register found = body.register(word);
        if (found != null) {
            if (found.bytes() == 0) {
                throw refusal(word + " is a predicate, a number belongs there");
            }
            return width(word, found, bytes, wider).index();
        }
        int special = PtxKernel.SPECIAL.indexOf(word);
        if (special >= 0 && bytes == 4) {
            return SPECIAL + special;
        }
        Long name = named(word);
        return CONSTANT + body.constant(name != null ? name : literal(word, bytes));
    }

    private long literal(String word, int bytes) {
        try {
            if (word.matches("0[fF][0-9a-fA-F]{8}") && bytes == 4) {
                return Long.parseLong(word.substring(2), 16);
            }
            if (word.matches("0[dD][0-9a-fA-F]{16}") && bytes == 8) {
                return Long.parseUnsignedLong(word.substring(2), 16);
            }
            boolean negative = word.startsWith("-");
            String digits = negative ? word.substring(1) : word;
            if (digits.matches("(0[xX][0-9a-fA-F]+|[1-9]\\d*|0)U?")) {
                digits = digits.endsWith("U") ? digits.substring(0, digits.length() - 1) : digits;
                long value = digits.length() > 2 && Character.toLowerCase(digits.charAt(1)) == 'x'
                        ? Long.parseUnsignedLong(digits.substring(2), 16) : Long.parseUnsignedLong(digits);
                return negative ? -value : value;
            }
        } catch (NumberFormatException e) {
            throw refusal(word + " does not fit 64 bits");
        }
        throw refusal("\"" + word + "\" is no register and no number of " + 8 * bytes + " bits");
    }
}
