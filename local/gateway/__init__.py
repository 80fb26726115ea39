"""A local API Gateway (REST) that serves the routes of a synthesized template.

The order of the steps is API Gateway's: route, throttle, authorizer, request validation,
integration request, integration, integration response; a step that refuses a request does so with
one of the gateway responses.
"""
