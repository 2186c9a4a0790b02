using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>Templates rendered with variables alone.</summary>
internal static class Snippet
{
    public static string Render(string template, JsonElement context = default)
    {
        Dictionary<string, object?> variables = [];
        if (context.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty variable in context.EnumerateObject()) variables[variable.Name] = JsonValues.Of(variable.Value);
        return ChatTemplate.Parse(template).Run(variables, 0, Golden.Now).Text;
    }
}
