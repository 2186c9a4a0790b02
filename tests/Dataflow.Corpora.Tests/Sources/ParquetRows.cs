using System.Text.Json.Serialization;

namespace Dataflow.Corpora.Tests;

internal sealed class TextRow
{
    public long Id { get; set; }

    [JsonPropertyName("text")]
    public string? Text { get; set; }
}

internal sealed class PairRow
{
    [JsonPropertyName("prompt")]
    public string? Prompt { get; set; }

    [JsonPropertyName("completion")]
    public string? Completion { get; set; }
}

internal sealed class JsonRow
{
    [JsonPropertyName("messages")]
    public string? Messages { get; set; }

    [JsonPropertyName("text")]
    public string? Text { get; set; }
}

internal sealed class OtherRow
{
    public string? Body { get; set; }

    public double Score { get; set; }

    public bool Good { get; set; }
}

internal sealed class ChatRow
{
    [JsonPropertyName("messages")]
    public List<Turn>? Messages { get; set; }

    [JsonPropertyName("tools")]
    public string? Tools { get; set; }
}

internal sealed class Turn
{
    [JsonPropertyName("role")]
    public string? Role { get; set; }

    [JsonPropertyName("content")]
    public string? Content { get; set; }

    [JsonPropertyName("tool_calls")]
    public List<Call>? Calls { get; set; }
}

internal sealed class Call
{
    [JsonPropertyName("name")]
    public string? Name { get; set; }

    [JsonPropertyName("ids")]
    public List<long>? Ids { get; set; }
}

internal sealed class NumberRow
{
    [JsonPropertyName("messages")]
    public List<Numbers>? Messages { get; set; }
}

internal sealed class Numbers
{
    [JsonPropertyName("role")]
    public string? Role { get; set; }

    public int A { get; set; }

    public long B { get; set; }

    public double C { get; set; }

    public float D { get; set; }

    public bool E { get; set; }
}
