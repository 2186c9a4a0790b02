using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>
/// A plan's choices as JSON and back: every field of geometry and residency under its own name, whatever fields these have. What is
/// missing, unknown or of another type is refused, so that a file of another version is never taken for one of this.
/// </summary>
internal static class PlanChoiceJson
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,

        // What follows from other fields is not part of the choice.
        IgnoreReadOnlyProperties = true,
        Converters = { new SaveSetByName(), new JsonStringEnumConverter(allowIntegerValues: false) },
    };

    /// <summary>The object.</summary>
    public static JsonObject Of(PlanChoice choice) => JsonSerializer.SerializeToNode(choice, Format)!.AsObject();

    /// <summary>Reads it back.</summary>
    /// <exception cref="JsonException">It is no choice.</exception>
    public static PlanChoice Parse(JsonNode node) =>
        node.Deserialize<PlanChoice>(Format) is { Geometry: not null, Residency: not null } choice
            ? choice
            : throw new JsonException("geometry and residency are missing");

    /// <summary>Where a choice differs from another one: the name of each such field and both values, the other one's last.</summary>
    public static IReadOnlyList<(string Name, JsonNode? Value, JsonNode? Other)> Differences(PlanChoice choice, PlanChoice from)
    {
        var (one, other) = (Fields(choice), Fields(from));
        return
        [
            .. one.Select(f => (f.Key, f.Value, Other: other.GetValueOrDefault(f.Key))).Where(f => !JsonNode.DeepEquals(f.Value, f.Other)),
        ];
    }

    private static Dictionary<string, JsonNode?> Fields(PlanChoice choice) =>
        Of(choice).SelectMany(part => part.Value!.AsObject()).ToDictionary(f => f.Key, f => f.Value);

    private sealed class SaveSetByName : JsonConverter<SaveSet>
    {
        public override SaveSet Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            try
            {
                return SaveSets.Parse(reader.GetString()!);
            }
            catch (Exception e) when (e is UserErrorException or InvalidOperationException or NullReferenceException)
            {
                throw new JsonException(e.Message);
            }
        }

        public override void Write(Utf8JsonWriter writer, SaveSet value, JsonSerializerOptions options) =>
            writer.WriteStringValue(SaveSets.NameOf(value));
    }
}
