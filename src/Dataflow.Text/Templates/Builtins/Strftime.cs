using System.Globalization;
using System.Text;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Python's strftime in the C locale.</summary>
internal static class Strftime
{
    public static string Format(DateTime now, string format)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            char flag = format[i + 1] is '-' or '_' or '0' or '^' && i + 2 < format.Length ? format[++i] : '\0';
            string part = Part(now, format[++i]) ?? $"%{(flag == '\0' ? "" : flag)}{format[i]}";
            text.Append(flag switch
            {
                '-' => Unpadded(part, ""),
                '_' => Unpadded(part, " "),
                '^' => part.ToUpperInvariant(),
                _ => part,
            });
        }
        return text.ToString();
    }

    private static string Unpadded(string part, string pad)
    {
        string trimmed = part.TrimStart('0', ' ');
        if (trimmed.Length == 0 || !char.IsAsciiDigit(trimmed[0])) trimmed = trimmed.Length == 0 ? "0" : part;
        return pad.Length == 0 ? trimmed : trimmed.PadLeft(part.Length);
    }

    private static string? Part(DateTime now, char code)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        int week = (int)now.DayOfWeek;
        return code switch
        {
            'a' => now.ToString("ddd", invariant),
            'A' => now.ToString("dddd", invariant),
            'b' or 'h' => now.ToString("MMM", invariant),
            'B' => now.ToString("MMMM", invariant),
            'c' => $"{now.ToString("ddd MMM", invariant)} {now.Day,2} {now.ToString("HH:mm:ss yyyy", invariant)}",
            'C' => (now.Year / 100).ToString("00", invariant),
            'd' => now.ToString("dd", invariant),
            'D' or 'x' => now.ToString("MM/dd/yy", invariant),
            'e' => $"{now.Day,2}",
            'f' => now.ToString("ffffff", invariant),
            'F' => now.ToString("yyyy-MM-dd", invariant),
            'g' => (ISOWeek.GetYear(now) % 100).ToString("00", invariant),
            'G' => ISOWeek.GetYear(now).ToString("0000", invariant),
            'H' => now.ToString("HH", invariant),
            'I' => now.ToString("hh", invariant),
            'j' => now.DayOfYear.ToString("000", invariant),
            'k' => $"{now.Hour,2}",
            'l' => $"{(now.Hour + 11) % 12 + 1,2}",
            'm' => now.ToString("MM", invariant),
            'M' => now.ToString("mm", invariant),
            'n' => "\n",
            'p' => now.Hour < 12 ? "AM" : "PM",
            'P' => now.Hour < 12 ? "am" : "pm",
            'r' => now.ToString("hh:mm:ss ", invariant) + (now.Hour < 12 ? "AM" : "PM"),
            'R' => now.ToString("HH:mm", invariant),
            'S' => now.ToString("ss", invariant),
            't' => "\t",
            'T' or 'X' => now.ToString("HH:mm:ss", invariant),
            'u' => (week == 0 ? 7 : week).ToString(invariant),
            'U' => ((now.DayOfYear + 6 - week) / 7).ToString("00", invariant),
            'V' => ISOWeek.GetWeekOfYear(now).ToString("00", invariant),
            'w' => week.ToString(invariant),
            'W' => ((now.DayOfYear + 6 - (week + 6) % 7) / 7).ToString("00", invariant),
            'y' => now.ToString("yy", invariant),
            'Y' => now.ToString("yyyy", invariant),
            'z' or 'Z' => "",
            '%' => "%",
            _ => null,
        };
    }
}
