"""Error bodies in the shapes that services send, with what each is about: (service, HTTP status, body, kind, setting).

About half are copied from the services' documentation and from public issue reports (litellm, vLLM, llama.cpp, SGLang,
LangChain, openai-python and others). The rest were written from memory, in the services' formats: their words may
differ from what a service sends today.
"""

from __future__ import annotations


def openai(message: str, code: object = None, type_: str = "invalid_request_error", param: object = None) -> dict:
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def vllm(message: str, type_: str = "BadRequestError", code: int = 400) -> dict:
    return {"object": "error", "message": message, "type": type_, "param": None, "code": code}


def claude(message: str, type_: str = "invalid_request_error") -> dict:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_011"}


def gemini(code: int, message: str, status: str, reason: str = "") -> dict:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def router(code: int, message: str, **metadata: object) -> dict:
    return {"error": {"code": code, "message": message, "metadata": metadata}}


AZURE = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify"
    " your prompt and retry. To learn more about our content filtering policies please read our documentation:"
    " https://go.microsoft.com/fwlink/?linkid=2198766"
)
CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase"
    " credits."
)

BODIES: list[tuple[str, int, object, str, str]] = [
    # the key
    ("openai", 401, openai("Incorrect API key provided: sk-x.", "invalid_api_key"), "key", ""),
    ("anthropic", 401, claude("invalid x-api-key", "authentication_error"), "key", ""),
    (
        "gemini",
        400,
        gemini(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
        "key",
        "",
    ),
    ("gemini", 400, gemini(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT"), "key", ""),
    ("deepseek", 401, openai("Authentication Fails (no such user)", "invalid_request_error"), "key", ""),
    ("openrouter", 401, router(401, "No auth credentials found"), "key", ""),
    ("vllm", 401, {"error": "Unauthorized"}, "key", ""),
    ("openai", 401, openai("The OpenAI account has been deactivated.", "account_deactivated"), "key", ""),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "x"}, "key", ""),
    # permission
    (
        "openai",
        403,
        openai("Country, region, or territory not supported", "unsupported_country_region_territory"),
        "permission",
        "",
    ),
    (
        "anthropic",
        403,
        claude("Your API key does not have permission to use the specified resource.", "permission_error"),
        "permission",
        "",
    ),
    (
        "gemini",
        400,
        gemini(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
        "permission",
        "",
    ),
    (
        "openrouter",
        403,
        router(403, "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"),
        "permission",
        "",
    ),
    (
        "openrouter",
        404,
        router(
            404,
            "No endpoints available matching your guardrail restrictions and data policy. Configure:"
            " https://openrouter.ai/settings/privacy",
        ),
        "permission",
        "",
    ),
    ("nginx", 403, "<html><head><title>403 Forbidden</title></head></html>", "permission", ""),
    # money
    (
        "openai",
        429,
        openai(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
        "billing",
        "",
    ),
    ("openai", 400, openai("Billing hard limit has been reached", "billing_hard_limit_reached"), "billing", ""),
    ("anthropic", 400, claude(CREDIT), "billing", ""),
    ("deepseek", 402, openai("Insufficient Balance", "invalid_request_error", "unknown_error"), "billing", ""),
    (
        "openrouter",
        402,
        router(
            402,
            "This request requires more credits, or fewer max_tokens. You requested up to 8192 tokens, but can only"
            " afford 12",
        ),
        "billing",
        "",
    ),
    (
        "dashscope",
        400,
        openai("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"),
        "billing",
        "",
    ),
    (
        "moonshot",
        429,
        openai(
            "Your account is suspended, please check your plan and billing details",
            None,
            "exceeded_current_quota_error",
        ),
        "billing",
        "",
    ),
    ("zhipu", 429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, "billing", ""),
    # the model
    (
        "openai",
        404,
        openai("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found"),
        "model",
        "",
    ),
    ("vllm", 404, vllm("The model `qwen` does not exist.", "NotFoundError", 404), "model", ""),
    ("anthropic", 404, claude("model: claude-9", "not_found_error"), "model", ""),
    (
        "gemini",
        404,
        gemini(
            404,
            "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
            "NOT_FOUND",
        ),
        "model",
        "",
    ),
    ("deepseek", 400, openai("Model Not Exist", "invalid_request_error"), "model", ""),
    ("openrouter", 400, router(400, "foo/bar is not a valid model ID"), "model", ""),
    (
        "groq",
        400,
        openai(
            "The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.", "model_decommissioned"
        ),
        "model",
        "",
    ),
    ("ollama", 404, openai('model "llama9" not found, try pulling it first', None, "api_error"), "model", ""),
    ("azure", 404, openai("The API deployment for this resource does not exist.", "DeploymentNotFound"), "model", ""),
    (
        "mistral",
        400,
        {"object": "error", "message": "Invalid model: mistral-9", "type": "invalid_model", "code": "1500"},
        "model",
        "",
    ),
    ("fastapi", 404, {"detail": "Not Found"}, "model", ""),
    # too long
    (
        "openai",
        400,
        openai(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            "context_length_exceeded",
            param="messages",
        ),
        "too long",
        "",
    ),
    (
        "azure",
        400,
        openai(
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.", None
        ),
        "too long",
        "",
    ),
    (
        "vllm",
        400,
        vllm(
            "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the"
            " messages, 10000 in the completion)."
        ),
        "too long",
        "",
    ),
    ("vllm", 400, vllm("max_tokens must be at least 1, got -186."), "too long", ""),
    (
        "vllm",
        400,
        vllm(
            "'max_tokens' or 'max_completion_tokens' is too large: 8000. This model's maximum context length is 4096"
            " tokens and your request has 3000 input tokens (8000 > 4096 - 3000)."
        ),
        "too long",
        "",
    ),
    (
        "vllm",
        400,
        vllm("The decoder prompt (length 9123) is longer than the maximum model length of 8192."),
        "too long",
        "",
    ),
    ("vllm", 400, vllm("At most 1 image(s) may be provided in one prompt."), "too long", ""),
    (
        "sglang",
        400,
        vllm("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
        "too long",
        "",
    ),
    (
        "llama.cpp",
        400,
        {
            "error": {
                "code": 400,
                "message": (
                    "the request exceeds the available context size. try increasing the context size or enable context"
                    " shift"
                ),
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 1200,
                "n_ctx": 900,
            }
        },
        "too long",
        "",
    ),
    (
        "tgi",
        422,
        {
            "error": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
            "error_type": "validation",
        },
        "too long",
        "",
    ),
    (
        "tgi",
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000",
            "error_type": "validation",
        },
        "too long",
        "",
    ),
    ("anthropic", 400, claude("prompt is too long: 209303 tokens > 200000 maximum"), "too long", ""),
    (
        "anthropic",
        400,
        claude(
            "input length and `max_tokens` exceed context limit: 179413 + 32768 > 200000, decrease input length or"
            " `max_tokens` and try again"
        ),
        "too long",
        "",
    ),
    ("anthropic", 413, claude("Request exceeds the maximum size", "request_too_large"), "too long", ""),
    (
        "gemini",
        400,
        gemini(400, "The input token count exceeds the maximum number of tokens allowed 1048576.", "INVALID_ARGUMENT"),
        "too long",
        "",
    ),
    (
        "mistral",
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        },
        "too long",
        "",
    ),
    ("perplexity", 400, openai("The total length of all messages is too long."), "too long", ""),
    ("bedrock", 400, {"message": "Input is too long for requested model."}, "too long", ""),
    ("dashscope", 400, openai("Range of input length should be [1, 30720]", "invalid_parameter_error"), "too long", ""),
    (
        "github",
        413,
        openai("Request body too large for gpt-4o model. Max size: 8000 tokens.", "tokens_limit_reached"),
        "too long",
        "",
    ),
    (
        "groq",
        413,
        openai(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000",
            "rate_limit_exceeded",
            "tokens",
        ),
        "too long",
        "",
    ),
    (
        "openai",
        429,
        openai(
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.",
            "rate_limit_exceeded",
            "tokens",
        ),
        "too long",
        "",
    ),
    ("nginx", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>", "too long", ""),
    (
        "kserve",
        500,
        openai(
            "This model's maximum context length is 8192 tokens. However, you requested 50014 tokens.",
            "500",
            "OpenAIError",
        ),
        "too long",
        "",
    ),
    (
        "lm studio",
        400,
        {
            "error": (
                "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with"
                " context length of only 4096 tokens"
            )
        },
        "too long",
        "",
    ),
    (
        "openrouter",
        400,
        router(
            400,
            "Provider returned error",
            raw='{"error":{"message":"This endpoint\'s maximum context length is 32768 tokens."}}',
            provider_name="X",
        ),
        "too long",
        "",
    ),
    # this prompt's content
    ("azure", 400, openai(AZURE, "content_filter", "", "prompt"), "filtered", ""),
    (
        "openai",
        400,
        openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"),
        "filtered",
        "",
    ),
    (
        "openai",
        400,
        openai("Your request was rejected as a result of our safety system.", "content_policy_violation"),
        "filtered",
        "",
    ),
    ("deepseek", 400, openai("Content Exists Risk", "invalid_request_error"), "filtered", ""),
    ("deepseek", 400, {"detail": "Content Exists Risk"}, "filtered", ""),
    (
        "dashscope",
        400,
        openai("Input data may contain inappropriate content.", "data_inspection_failed", "data_inspection_failed"),
        "filtered",
        "",
    ),
    (
        "openrouter",
        403,
        router(
            403, "Your input was flagged", reasons=["violence"], flagged_input="a purple box", provider_name="OpenAI"
        ),
        "filtered",
        "",
    ),
    (
        "openrouter",
        403,
        router(403, 'meta/llama requires moderation on OpenInference. Your input was flagged for "self-harm".'),
        "filtered",
        "",
    ),
    ("anthropic", 400, claude("Output blocked by content filtering policy"), "filtered", ""),
    (
        "xai",
        403,
        {
            "code": "permission-denied",
            "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
        },
        "filtered",
        "",
    ),
    (
        "moonshot",
        400,
        openai("The request was rejected because it was considered high risk", None, "content_filter"),
        "filtered",
        "",
    ),
    (
        "zhipu",
        400,
        {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}},
        "filtered",
        "",
    ),
    # a setting
    (
        "openai",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
            " instead.",
            "unsupported_parameter",
            param="max_tokens",
        ),
        "a setting",
        "max_tokens",
    ),
    (
        "openai",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.16 with this model. Only the default (1) value is"
            " supported.",
            "unsupported_value",
            param="temperature",
        ),
        "a setting",
        "temperature",
    ),
    (
        "openai",
        400,
        openai(
            "max_tokens is too large: 100000. This model supports at most 4096 completion tokens.",
            "invalid_value",
            param="max_tokens",
        ),
        "a setting",
        "max_tokens",
    ),
    (
        "mistral",
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "seed"],
                    "msg": "Extra inputs are not permitted",
                    "input": 1,
                }
            ]
        },
        "a setting",
        "seed",
    ),
    ("old openai", 400, openai("Unrecognized request argument supplied: seed"), "a setting", "seed"),
    (
        "vllm",
        400,
        vllm(
            "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not"
            " permitted', 'input': 8192}]"
        ),
        "a setting",
        "max_completion_tokens",
    ),
    ("anthropic", 400, claude("`temperature` is deprecated for this model."), "a setting", "temperature"),
    (
        "anthropic",
        400,
        claude("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        "a setting",
        "temperature",
    ),
    (
        "gemini",
        400,
        gemini(
            400,
            'Invalid JSON payload received. Unknown name "reasoning_effort": Cannot find field.',
            "INVALID_ARGUMENT",
        ),
        "a setting",
        "reasoning_effort",
    ),
    (
        "xai",
        400,
        {"code": "Client specified an invalid argument", "error": "Argument not supported on this model: stop"},
        "a setting",
        "stop",
    ),
    ("groq", 400, openai("property 'seed' is unsupported"), "a setting", "seed"),
    # pictures
    (
        "llama.cpp",
        500,
        {
            "error": {
                "code": 500,
                "message": (
                    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
                ),
                "type": "server_error",
            }
        },
        "no pictures",
        "",
    ),
    ("vllm", 400, vllm("qwen2.5-7b is not a multimodal model"), "no pictures", ""),
    (
        "deepseek",
        400,
        openai(
            "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`,"
            " expected `text`"
        ),
        "no pictures",
        "",
    ),
    ("openrouter", 404, router(404, "No endpoints found that support image input"), "no pictures", ""),
    # one prompt, for no reason that we know
    ("vllm", 400, vllm("Conversation roles must alternate user/assistant/user/assistant/..."), "refused", ""),
    ("any", 400, {"error": "no purple here"}, "refused", ""),
    ("any", 422, "", "refused", ""),
    ("any", 501, {"error": {"message": "not implemented"}}, "refused", ""),
    # the moment
    (
        "openai",
        429,
        openai(
            "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM)",
            "rate_limit_exceeded",
            "requests",
        ),
        "busy",
        "",
    ),
    (
        "gemini",
        429,
        gemini(
            429, "You exceeded your current quota, please check your plan and billing details.", "RESOURCE_EXHAUSTED"
        ),
        "busy",
        "",
    ),
    (
        "anthropic",
        429,
        claude(
            "This request would exceed your organization's rate limit of 40,000 input tokens per minute",
            "rate_limit_error",
        ),
        "busy",
        "",
    ),
    ("anthropic", 529, claude("Overloaded", "overloaded_error"), "busy", ""),
    (
        "openai",
        500,
        openai("The server had an error while processing your request", None, "server_error"),
        "server",
        "",
    ),
    ("gemini", 503, gemini(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"), "server", ""),
    ("deepseek", 503, {"error": "Service is too busy."}, "server", ""),
    ("vllm", 503, "upstream connect error", "server", ""),
    ("cloudflare", 524, "<html>524: A timeout occurred</html>", "server", ""),
    ("any", 409, {"error": "conflict"}, "server", ""),
]
