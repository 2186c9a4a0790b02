using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Dataflow;

/// <summary>
/// A value as text: what it was made with, member by member, whatever members there are. Values that differ in any property that can be
/// set have different texts. It is for hashes and is never read back.
///
/// A serializer compiles code for every type that it meets, which took a sixth of the time of a short command; here fields are read as
/// they lie.
/// </summary>
internal static class MemberText
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly ConditionalWeakTable<Type, object[]> Members = [];

    /// <summary>Of a value.</summary>
    /// <exception cref="NotSupportedException">A member holds code, which has no text.</exception>
    public static string Of(object? value)
    {
        var text = new StringBuilder();
        Add(text, value);
        return text.ToString();
    }

    private static void Add(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null:
                text.Append('-');
                break;
            case string s:
                // With its length: nothing that it contains can be taken for what follows it.
                text.Append(CultureInfo.InvariantCulture, $"{s.Length}'").Append(s);
                break;
            case Enum or bool or char:
                text.Append(((IConvertible)value).ToInt64(CultureInfo.InvariantCulture));
                break;
            case double or float:
                text.Append(((IFormattable)value).ToString("R", CultureInfo.InvariantCulture));
                break;
            case Delegate or Pointer or MemberInfo:
                throw new NotSupportedException($"{value.GetType()} has no text");
            default:
                AddParts(text, value);
                break;
        }
    }

    private static void AddParts(StringBuilder text, object value)
    {
        if (value.GetType().IsPrimitive)
        {
            text.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
            return;
        }

        text.Append('{');
        if (value is IDictionary map)
        {
            foreach (DictionaryEntry entry in map)
            {
                Add(text, entry.Key);
                text.Append(':');
                Add(text, entry.Value);
                text.Append(';');
            }
        }
        else if (value is IEnumerable items)
        {
            foreach (object? item in items)
            {
                Add(text, item);
                text.Append(';');
            }
        }
        else
        {
            // Which of several records it is may be all that it says.
            text.Append(value.GetType().Name);
            foreach (object member in Members.GetValue(value.GetType(), MembersOf))
            {
                text.Append(';');
                Add(text, member is FieldInfo field ? field.GetValue(value) : ((PropertyInfo)member).GetValue(value));
            }
        }

        text.Append('}');
    }

    /// <summary>Of properties that can be set the field behind them, or the property where there is none; and public fields.</summary>
    private static object[] MembersOf(Type type)
    {
        var members = new List<object>();
        for (var t = type; t is not null && t != typeof(object) && t != typeof(ValueType); t = t.BaseType)
        {
            foreach (var property in t.GetProperties(Declared))
            {
                if (property.SetMethod is not null && property.GetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0)
                {
                    members.Add(t.GetField($"<{property.Name}>k__BackingField", Declared) as MemberInfo ?? property);
                }
            }

            foreach (var field in t.GetFields(Declared))
            {
                if (field.IsPublic)
                {
                    members.Add(field);
                }
            }
        }

        return [.. members];
    }
}
