using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Dataflow.Model;

namespace Dataflow;

/// <summary>What an answer that is no success comes to: a sentence that says what to do, or a fault that may pass.</summary>
internal static partial class HubErrors
{
    /// <summary>The exception of it.</summary>
    /// <param name="answer">It.</param>
    /// <param name="name">What was asked for.</param>
    /// <param name="file">A file of it; null where a listing was asked for.</param>
    /// <param name="settings">Who asked.</param>
    public static Exception Of(HubAnswer answer, HubName name, string? file, HubSettings settings)
    {
        int status = (int)answer.Status;
        return status switch
        {
            429 => new PassingFaultException($"{answer.Uri.Host} has had too many requests", Asked(answer.Response, settings)),
            408 or 500 or 502 or 503 or 504 => new PassingFaultException($"{answer.Shown} answers {status}{Request(answer)}"),

            // A signed address lasts an hour or less: the hub gives another.
            401 or 403 or 410 when !answer.IsOfHub => new PassingFaultException(
                $"the storage at {answer.Uri.Host} refuses its address ({status}{Request(answer)})"),
            401 or 403 or 404 => Refused(answer, name, file, settings) is { } reason
                ? new UserErrorException(reason + Request(answer))
                : new FailedException($"{answer.Shown} answers {status}{Request(answer)}; is {settings.Endpoint} a hub?"),
            _ => new FailedException($"{answer.Shown} answers {status}{Request(answer)}"),
        };
    }

    /// <summary>Why the hub does not give it; null where that was no hub's answer.</summary>
    private static string? Refused(HubAnswer answer, HubName name, string? file, HubSettings settings)
    {
        string? code = answer.Header("X-Error-Code"), message = answer.Header("X-Error-Message");
        bool known = settings.Token is not null;
        string page = $"{settings.Endpoint}/{name.Repository}";
        bool Says(string text) => message?.Contains(text, StringComparison.OrdinalIgnoreCase) == true;
        return (answer.Status, code) switch
        {
            (HttpStatusCode.Unauthorized, _) when Says("Invalid credentials") =>
                "the hub does not know the token that was sent (HF_TOKEN, or the file HF_TOKEN_PATH); give a valid one, or none",
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, "GatedRepo") =>
                $"{name.Repository} is gated: accept its terms at {page}, then "
                    + (known ? "run this again with the token of that account" : "set HF_TOKEN to a token of that account"),
            (HttpStatusCode.Forbidden, _) when Says("is disabled") => $"{name.Repository} has been disabled on the hub",
            (HttpStatusCode.Forbidden, _) => known
                ? $"the token has no right to read {name.Repository}; give it that right in the settings of tokens, or use another"
                : $"the hub does not let {name.Repository} be read without a token; set HF_TOKEN",
            (HttpStatusCode.Unauthorized, _) or (HttpStatusCode.NotFound, "RepoNotFound") =>
                $"there is no {name.Repository} on {answer.Uri.Host}, or it is private and "
                    + (known ? "the token may not read it" : "there is no token (set HF_TOKEN)") + "; check its name",
            (HttpStatusCode.NotFound, "RevisionNotFound") =>
                $"{name.Repository} has no revision {name.Revision}; see {page}/tree/main for those it has",
            (HttpStatusCode.NotFound, "EntryNotFound") => $"{name.Repository} has no file {file ?? "that was asked for"}",
            _ => null,
        };
    }

    private static string Request(HubAnswer answer) => answer.Header("X-Request-Id") is { } id ? $" (request {id})" : "";

    /// <summary>When to ask again: what is left of a window of which nothing is left, else what the old header says.</summary>
    private static TimeSpan? Asked(HttpResponseMessage response, HubSettings settings)
    {
        if (response.Headers.TryGetValues("RateLimit", out var limits))
        {
            var used = limits.SelectMany(l => UsedUp().Matches(l)).Select(m => long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
            if (used.DefaultIfEmpty(-1).Max() is var seconds and >= 0)
            {
                return TimeSpan.FromSeconds(seconds + 1);
            }
        }

        return response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } when date - settings.Clock.GetUtcNow() is var until => until > TimeSpan.Zero ? until : TimeSpan.Zero,
            _ => null,
        };
    }

    [GeneratedRegex(@";\s*r=0\s*;\s*t=(\d{1,9})\b")]
    private static partial Regex UsedUp();
}
