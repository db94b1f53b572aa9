package dev.gatun.layers.io;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON (RFC 8259), strictly: objects become maps in order, arrays lists, whole numbers that
 * fit a {@code Long}, other numbers {@code Double}. A name that occurs twice in an object is
 * refused, and so is nesting beyond {@value #DEPTH} levels, which would only serve to exhaust the
 * stack.
 */
public final class Json {

    private static final int DEPTH = 32;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /**
     * The value a text describes.
     *
     * @throws FormatException with what is wrong and at which character
     */
    public static Object parse(String text) throws FormatException {
        Json json = new Json(text);
        Object value = json.value(DEPTH);
        json.skipBlanks();
        if (json.at < text.length()) {
            throw json.wrong("nothing may follow, but " + json.here() + " does");
        }
        return value;
    }

    /** A string with its quotes, escaped where JSON asks for it. */
    public static String quote(String s) {
        StringBuilder quoted = new StringBuilder(s.length() + 2).append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    private Object value(int depth) throws FormatException {
        skipBlanks();
        if (at == text.length()) {
            throw wrong("a value is expected, the text ends");
        }
        if (depth == 0) {
            throw wrong("more than " + DEPTH + " levels");
        }
        char c = text.charAt(at);
        return switch (c) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> {
                if (c == '-' || isDigit(c)) {
                    yield number();
                }
                throw wrong("a value is expected, not " + here());
            }
        };
    }

    private Map<String, Object> object(int depth) throws FormatException {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        if (skipTo('}')) {
            return members;
        }
        do {
            skipBlanks();
            if (at == text.length() || text.charAt(at) != '"') {
                throw wrong("a name in quotes is expected, not " + here());
            }
            String name = string();
            if (!skipTo(':')) {
                throw wrong("':' is expected after the name " + quote(name) + ", not " + here());
            }
            if (members.containsKey(name)) {
                throw wrong("the name " + quote(name) + " occurs twice");
            }
            members.put(name, value(depth - 1));
        } while (skipTo(','));
        if (!skipTo('}')) {
            throw wrong("',' or '}' is expected, not " + here());
        }
        return members;
    }

    private List<Object> array(int depth) throws FormatException {
        List<Object> elements = new ArrayList<>();
        at++;
        if (skipTo(']')) {
            return elements;
        }
        do {
            elements.add(value(depth - 1));
        } while (skipTo(','));
        if (!skipTo(']')) {
            throw wrong("',' or ']' is expected, not " + here());
        }
        return elements;
    }

    private String string() throws FormatException {
        StringBuilder s = new StringBuilder();
        for (at++; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '"') {
                at++;
                return s.toString();
            }
            if (c < ' ') {
                throw wrong("a string holds " + here() + ", which must be escaped");
            }
            s.append(c == '\\' ? escaped() : c);
        }
        throw wrong("a string does not end");
    }

    private char escaped() throws FormatException {
        at++;
        char c = at < text.length() ? text.charAt(at) : ' ';
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    at++;
                    int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
                    if (digit < 0 || text.charAt(at) > 'f') {
                        throw wrong("\\u needs four hexadecimal digits");
                    }
                    code = code << 4 | digit;
                }
                yield (char) code;
            }
            default -> throw wrong("a string holds '\\' and then " + here());
        };
    }

    private Object number() throws FormatException {
        int start = at;
        if (text.charAt(at) == '-') {
            at++;
        }
        int first = at;
        digits();
        if (text.charAt(first) == '0' && at > first + 1) {
            throw wrong("a number starts with 0");
        }
        boolean whole = true;
        if (at < text.length() && text.charAt(at) == '.') {
            at++;
            digits();
            whole = false;
        }
        if (at < text.length() && (text.charAt(at) | ' ') == 'e') {
            at++;
            if (at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-')) {
                at++;
            }
            digits();
            whole = false;
        }
        String digits = text.substring(start, at);
        if (whole) {
            try {
                return Long.valueOf(digits);
            } catch (NumberFormatException tooLong) {
                return Double.valueOf(digits);
            }
        }
        return Double.valueOf(digits);
    }

    private void digits() throws FormatException {
        int start = at;
        while (at < text.length() && isDigit(text.charAt(at))) {
            at++;
        }
        if (at == start) {
            throw wrong("a digit is expected, not " + here());
        }
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private Object word(String word, Object value) throws FormatException {
        if (!text.startsWith(word, at)) {
            throw wrong("a value is expected, not " + here());
        }
        at += word.length();
        return value;
    }

    /** Skips blanks, and this character where it is the next one. */
    private boolean skipTo(char c) {
        skipBlanks();
        boolean there = at < text.length() && text.charAt(at) == c;
        if (there) {
            at++;
        }
        return there;
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private String here() {
        if (at >= text.length()) {
            return "the end";
        }
        char c = text.charAt(at);
        return c < ' ' ? "character " + (int) c : "'" + c + "'";
    }

    private FormatException wrong(String what) {
        return new FormatException("json: " + what + ", at character " + at);
    }
}
